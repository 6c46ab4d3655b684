//! The private PostgreSQL: made once, reached over 127.0.0.1 with a password of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use uuid::Uuid;

use crate::Options;
use crate::leftover;
use crate::probe::Probe;
use crate::server::Launch;
use crate::tool;
use crate::user::User;

/// The superuser and the database of the service.
const NAME: &str = "frontdesk";

/// Where its data is and how to sign in.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Reachable for the user that the server runs as.
    home: PathBuf,
    user: Option<User>,
    password: String,
    throwaway: bool,
}

impl Cluster {
    /// Finds the data, or makes it.
    pub(crate) fn open(options: &Options) -> Result<Self> {
        let user = User::unprivileged()?;
        let home = home(&options.dir, user)?;
        let data = home.join("data");
        let password_file = home.join("password");
        if !data.join("PG_VERSION").exists() {
            let password = hex::encode(rand::random::<[u8; 16]>());
            let cluster = Self {
                home,
                user,
                password,
                throwaway: options.throwaway,
            };
            cluster.make(&data, &password_file)?;
            return Ok(cluster);
        }
        let owner = fs::metadata(&data)?.uid();
        let ours = user.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
        if owner != ours {
            bail!(
                "{} belongs to another user (uid {owner}): start as that one, or root if it was root",
                data.display()
            );
        }
        let password = fs::read_to_string(&password_file)
            .with_context(|| format!("could not read {}", password_file.display()))?;
        Ok(Self {
            home,
            user,
            password: password.trim().to_owned(),
            throwaway: options.throwaway,
        })
    }

    /// `initdb` into a folder that is renamed when it is complete, so that a start which was cut short
    /// leaves nothing that looks like data.
    fn make(&self, data: &Path, password_file: &Path) -> Result<()> {
        let unfinished = self.home.join("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        write_private(password_file, &self.password)?;
        if let Some(user) = self.user {
            user.take(password_file)?;
        }
        // Over 127.0.0.1 a password needs no hiding. SCRAM costs the client 8,192 hashes a connection,
        // which shows in tests, where our side is not optimised.
        let auth = if self.throwaway {
            "--auth-host=password"
        } else {
            "--auth-host=scram-sha-256"
        };
        let program = tool::postgres(data)?.join("initdb");
        let mut command = Command::new(&program);
        command
            .arg("--pgdata")
            .arg(&unfinished)
            .arg("--pwfile")
            .arg(password_file);
        command.args([
            "--username",
            NAME,
            auth,
            "--auth-local=reject",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        if self.throwaway {
            command.arg("--no-sync");
        }
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        let output = command
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .process_group(0)
            .output();
        let output = output.with_context(|| format!("could not start {}", program.display()))?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed ({}):\n{error}", program.display(), output.status);
        }
        fs::rename(&unfinished, data)?;
        Ok(())
    }

    /// Ends what an earlier process of ours may have left running on this data.
    pub(crate) async fn end_leftover(&self) -> Result<()> {
        leftover::end("PostgreSQL", &self.home.join("data/postmaster.pid"), &self.home).await
    }

    /// How to start the server on this port.
    pub(crate) fn launch(&self, port: u16, log: PathBuf) -> Result<Launch> {
        let data = self.home.join("data");
        let mut args = vec!["-D".to_owned(), data.to_string_lossy().into_owned()];
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            // No socket file: its path may be longer than the operating system takes.
            "unix_socket_directories=".to_owned(),
            // A worker's pool is small; tests run many pools at once.
            "max_connections=200".to_owned(),
            "logging_collector=off".to_owned(),
        ];
        // What is committed has been written to the kernel, so it survives a kill of PostgreSQL.
        let unsynced = ["fsync=off".to_owned(), "full_page_writes=off".to_owned()];
        for setting in settings
            .into_iter()
            .chain(unsynced.into_iter().filter(|_| self.throwaway))
        {
            args.extend(["-c".to_owned(), setting]);
        }
        Ok(Launch {
            name: "PostgreSQL",
            program: tool::postgres(&data)?.join("postgres"),
            args,
            user: self.user,
            home: self.home.clone(),
            port,
            log,
            probe: Probe::Postgres(Box::new(self.sign_in(port))),
        })
    }

    /// The database that is always there.
    fn sign_in(&self, port: u16) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port);
        options
            .username(NAME)
            .password(&self.password)
            .database("postgres")
    }

    /// The URL of a database on this server.
    pub(crate) fn url(&self, port: u16, database: &str) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{port}/{database}", self.password)
    }

    /// Makes the database unless it is there, and returns its URL.
    pub(crate) async fn create_database(&self, port: u16, name: &str) -> Result<String> {
        let mut connection = self
            .sign_in(port)
            .connect()
            .await
            .context("could not connect to PostgreSQL")?;
        let exists = sqlx::query("select 1 from pg_database where datname = $1").bind(name);
        if exists.fetch_optional(&mut connection).await?.is_none() {
            let create = format!("create database \"{}\"", name.replace('"', "\"\""));
            connection
                .execute(AssertSqlSafe(create))
                .await
                .with_context(|| format!("database {name}"))?;
        }
        connection.close().await?;
        Ok(self.url(port, name))
    }

    /// The service's own database.
    pub(crate) async fn create_own_database(&self, port: u16) -> Result<String> {
        self.create_database(port, NAME).await
    }

    /// Where the data is.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }
}

/// `<dir>/postgres`; where the server's user cannot reach that (a checkout in root's home), a folder in
/// /var/lib that is named after it, so that the next start finds it again.
pub(crate) fn home(dir: &Path, user: Option<User>) -> Result<PathBuf> {
    let near = dir.join("postgres");
    let Some(user) = user else {
        return create(&near).map(|()| near);
    };
    let home = if user.reaches(dir) { near } else { far_home(dir) };
    create(&home)?;
    user.take(&home)?;
    Ok(home)
}

/// The folder in /var/lib for the data of `dir`.
pub(crate) fn far_home(dir: &Path) -> PathBuf {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, dir.as_os_str().as_encoded_bytes())
        .simple()
        .to_string();
    PathBuf::from(format!("/var/lib/frontdesk-{}", &name[..12]))
}

fn create(home: &Path) -> Result<()> {
    fs::create_dir_all(home).with_context(|| format!("could not make {}", home.display()))?;
    fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    // A file that an interrupted start left may belong to another user.
    let _ = fs::remove_file(path);
    let mut file = fs::File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("could not write {}", path.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    Ok(())
}
