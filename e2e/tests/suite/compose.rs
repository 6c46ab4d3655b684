//! docker-compose.yml cannot be run everywhere, so it is compared with the programs' own `--help` and with the tree; and so
//! is the README's table of settings.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use e2e::process::programs;
use serde_yaml_ng::Value;

/// The repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn compose() -> Result<Value> {
    let mut file: Value =
        serde_yaml_ng::from_str(&std::fs::read_to_string(root().join("docker-compose.yml"))?)?;
    file.apply_merge()?;
    Ok(file)
}

/// The names behind `[env: …]` in a program's help.
async fn settings(program: &str) -> Result<BTreeSet<String>> {
    let help = tokio::process::Command::new(programs().await?.join(program))
        .arg("--help")
        .output()
        .await?;
    let help = String::from_utf8(help.stdout)?;
    let names = help
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split(['=', ']']).next());
    Ok(names.map(str::to_owned).collect())
}

#[tokio::test]
async fn every_environment_variable_of_the_compose_file_is_a_setting() -> Result<()> {
    let file = compose()?;
    for program in ["api", "worker"] {
        let known = settings(program).await?;
        assert!(
            known.contains("NATS_URL"),
            "{program} --help lists no settings: {known:?}"
        );
        let set = file["services"][program]["environment"]
            .as_mapping()
            .context("environment")?;
        for name in set.keys().filter_map(Value::as_str) {
            assert!(known.contains(name), "{program} does not know {name}");
        }
        for needed in ["NATS_URL", "DATABASE_URL"] {
            assert!(set.contains_key(needed), "{program} is not told {needed}");
        }
        let command = file["services"][program]["command"][0].as_str();
        assert_eq!(command, Some(program));
    }
    Ok(())
}

#[tokio::test]
async fn the_readme_lists_every_setting_and_no_other() -> Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let table = readme
        .split_once("### Settings")
        .context("a section")?
        .1
        .split_once("###")
        .context("its end")?
        .0;
    let names = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1));
    let listed: BTreeSet<_> = names
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    let mut known = BTreeSet::new();
    for program in ["api", "worker", "local"] {
        known.extend(settings(program).await?);
    }
    assert_eq!(listed, known);
    Ok(())
}

#[test]
fn every_path_of_the_compose_file_and_the_dockerfile_is_there() -> Result<()> {
    let file = compose()?;
    let services = file["services"].as_mapping().context("services")?;
    let mounts = services
        .values()
        .flat_map(|service| service["volumes"].as_sequence().into_iter().flatten());
    let mut checked = 0;
    for mount in mounts
        .filter_map(Value::as_str)
        .filter(|mount| mount.starts_with("./"))
    {
        let path = mount.split(':').next().unwrap_or_default();
        assert!(root().join(path).is_file(), "{path} is not there");
        checked += 1;
    }
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile"))?;
    for line in dockerfile
        .lines()
        .filter(|line| line.starts_with("COPY ") && !line.contains("--from"))
    {
        for path in line.split_whitespace().skip(1).take(1) {
            assert!(root().join(path).exists(), "{path} is not there");
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked} paths were found");
    Ok(())
}

#[test]
fn workers_can_be_scaled_and_everything_else_is_waited_for_until_it_is_healthy() -> Result<()> {
    let file = compose()?;
    let worker = &file["services"]["worker"];
    for fixed in ["container_name", "ports", "hostname"] {
        assert!(
            worker[fixed].is_null(),
            "a second worker could not have the same {fixed}"
        );
    }
    for service in ["api", "postgres", "nats"] {
        assert!(
            file["services"][service]["healthcheck"]["test"].is_sequence(),
            "{service} has no health check"
        );
    }
    for program in ["api", "worker"] {
        for server in ["postgres", "nats"] {
            let condition = &file["services"][program]["depends_on"][server]["condition"];
            assert_eq!(condition.as_str(), Some("service_healthy"));
        }
    }
    Ok(())
}
