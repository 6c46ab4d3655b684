//! What can be wrong with a `clinic.toml`.

use std::path::PathBuf;

/// Why a clinic could not be read. Its text names the field and is meant for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ClinicError {
    /// The file could not be opened or is not UTF-8.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, a field that is missing, or one that nobody knows.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A field whose value makes no sense.
    #[error("{field}: {problem}")]
    Field {
        /// Its path, e.g. `treatments[1].synonyms`.
        field: String,
        /// What is expected there.
        problem: String,
    },
}

/// The error of a field.
pub(super) fn field<T>(field: &str, problem: &str) -> Result<T, ClinicError> {
    Err(ClinicError::Field {
        field: field.to_owned(),
        problem: problem.to_owned(),
    })
}

/// An error where `value` is blank or would break a line of text apart.
pub(super) fn filled(name: &str, value: &str) -> Result<(), ClinicError> {
    if value.trim().is_empty() {
        return field(name, "must not be empty");
    }
    if value.chars().any(char::is_control) {
        return field(name, "must be one line without control characters");
    }
    Ok(())
}
