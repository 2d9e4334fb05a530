//! Where secrets come from. A literal in the configuration is refused.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::Environment;
use super::spelling::quoted;

/// How a secret is written, for mistakes.
pub(super) const HOW: &str =
    "write `{ env = \"NAME\" }`, `{ file = \"/path\" }` or `{ credential = \"name\" }`";

/// What the unit calls the folder that it hands over.
const FOLDER: &str = "notafter";

/// More than any key, token or URL has; a path that leads to something endless is not read to its end.
const LARGEST: u64 = 64 * 1024;

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
    /// A file in `$CREDENTIALS_DIRECTORY`, as systemd gives it.
    Credential(String),
}

/// What may be a secret.
#[derive(Clone, Debug)]
pub enum Open {
    /// It is none, and stands in the configuration.
    Written(String),
    /// It is one.
    Secret(Secret),
}

impl Open {
    /// Reads it as it is now.
    pub fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::Written(text) => Ok(SecretString::from(text.trim())),
            Self::Secret(secret) => secret.read(),
        }
    }
}

/// A secret and where it is read from. Files are read again at every use, so that a rotated secret is picked up.
#[derive(Clone, Debug)]
pub struct Secret {
    reference: SecretRef,
    environment: Environment,
}

impl Secret {
    /// Returns the secret that `reference` leads to.
    pub fn new(reference: SecretRef, environment: &Environment) -> Self {
        Self { reference, environment: environment.clone() }
    }

    /// Reads the secret, without the white space around it. The error names the place and never the content.
    pub fn read(&self) -> Result<SecretString, String> {
        let (place, content) = match &self.reference {
            SecretRef::Env(name) => {
                let place = variable(name);
                let content = self.environment.variable(name).map(Zeroizing::new);
                let content = content.ok_or_else(|| format!("{place} is not set"))?;
                (place, content)
            }
            SecretRef::File(path) => {
                let place = format!("secret file {}", quoted(&path.to_string_lossy()));
                let content = read(path).map_err(|why| format!("{place} {why}"))?;
                (place, content)
            }
            SecretRef::Credential(name) => {
                let place = format!("credential {}", quoted(name));
                let content = self.credential(name).map_err(|why| format!("{place} {why}"))?;
                (place, content)
            }
        };
        let secret = SecretString::from(content.trim());
        if secret.expose_secret().is_empty() {
            Err(format!("{place} is empty"))
        } else {
            Ok(secret)
        }
    }

    /// Returns what is dangerous about the place, if anything.
    pub(super) fn danger(&self) -> Option<String> {
        let SecretRef::File(path) = &self.reference else { return None };
        let mode = path.metadata().ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| {
            format!(
                "every user of this machine can read {}: run `chmod o-r` on it",
                quoted(&path.to_string_lossy())
            )
        })
    }

    fn credential(&self, name: &str) -> Result<Zeroizing<String>, String> {
        let directory = self.environment.credentials_directory().ok_or(
            "cannot be read: $CREDENTIALS_DIRECTORY is not set; give it with LoadCredential= in the unit, or with \
             CREDENTIALS_DIRECTORY=/etc/notafter/credentials in front of a command",
        )?;
        let path = directory.join(name);
        if path.exists() {
            return read(&path);
        }
        // So systemd names the files of a folder that is handed over as `notafter` (systemd.exec(5), LoadCredential=).
        let of_folder = directory.join(format!("{FOLDER}_{name}"));
        read(if of_folder.exists() { &of_folder } else { &path })
    }
}

/// Names the variable, unless it does not look like one: then somebody may have put the secret itself there.
fn variable(name: &str) -> String {
    if is_plainly_a_name(name) {
        format!("environment variable `{name}`")
    } else {
        "the environment variable that is named here (not repeated: it may be the secret itself)"
            .to_owned()
    }
}

/// `FEISHU_URL`, `feishu_url`, `TOKEN` and `TOKEN2` are names. Keys mix their letters, or have digits among them; the
/// ids of Tencent and AWS begin with `AKID` and `AKIA`.
fn is_plainly_a_name(name: &str) -> bool {
    const LONGEST: usize = 64;
    let letters = name.trim_end_matches(|last: char| last.is_ascii_digit());
    let all = |text: &str, is: fn(&u8) -> bool| text.bytes().all(|byte| is(&byte) || byte == b'_');
    let digits = name.len() - letters.len();
    let worded = name.contains('_') && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    let upper = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    name.len() <= LONGEST
        && !name.starts_with("AKI")
        && (worded && (all(name, upper) || all(letters, u8::is_ascii_lowercase))
            || letters.len() > 2 && digits <= 2 && all(letters, u8::is_ascii_uppercase))
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    // Opening a pipe would wait for its writer.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut content = Zeroizing::new(String::new());
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_string(&mut content).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => "is not UTF-8 text".to_owned(),
        _ => unreadable(error),
    })?;
    if content.len() as u64 > LARGEST {
        return Err(format!("is larger than {LARGEST} bytes"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn outcome(reference: SecretRef, environment: &Environment) -> Result<String, String> {
        Secret::new(reference, environment).read().map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_variable_is_read_and_trimmed() {
        let environment = Environment::of([("THE_KEY", " s3cr3t\n"), ("BLANK_KEY", " \n")]);
        let env = |name: &str| outcome(SecretRef::Env(name.to_owned()), &environment);
        assert_eq!(env("THE_KEY"), Ok("s3cr3t".to_owned()));
        assert_eq!(env("BLANK_KEY"), Err("environment variable `BLANK_KEY` is empty".to_owned()));
        assert_eq!(env("NO_KEY"), Err("environment variable `NO_KEY` is not set".to_owned()));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        for name in ["FEISHU_URL", "feishu_url", "TOKEN", "TOKEN2", "S3_KEY", "_KEY", "slack_url_2"]
        {
            let error = outcome(SecretRef::Env(name.to_owned()), &Environment::of([])).unwrap_err();
            assert_eq!(error, format!("environment variable `{name}` is not set"));
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_name_is_not_repeated() {
        for literal in [
            "AKIDz8krbsJ5yKBZQpn74WFk",
            "hunter2",
            "AKIDZZZ9",
            "S3CRET",
            "correcthorse",
            "xoxb_T0ken",
        ] {
            let error =
                outcome(SecretRef::Env(literal.to_owned()), &Environment::of([])).unwrap_err();
            assert_eq!(
                error,
                "the environment variable that is named here (not repeated: it may be the secret itself) \
                 is not set"
            );
        }
    }

    #[test]
    fn a_file_is_read_again_at_every_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let secret = Secret::new(SecretRef::File(path.clone()), &Environment::of([]));
        fs::write(&path, "one\n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "one");
        fs::write(&path, "two").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "two");
    }

    #[test]
    fn what_cannot_be_a_secret_is_said_without_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let (path, none) = (directory.path().join("key"), Environment::of([]));
        let shown = path.display();
        let file = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            outcome(SecretRef::File(path.clone()), &none).unwrap_err()
        };
        assert_eq!(file(b" "), format!("secret file `{shown}` is empty"));
        assert_eq!(file(b"\xFF\xFE"), format!("secret file `{shown}` is not UTF-8 text"));
        assert_eq!(
            file("x".repeat(70_000).as_bytes()),
            format!("secret file `{shown}` is larger than 65536 bytes")
        );
        let folder = outcome(SecretRef::File(directory.path().to_owned()), &none).unwrap_err();
        assert_eq!(
            folder,
            format!("secret file `{}` is not a regular file", directory.path().display())
        );
    }

    #[test]
    fn a_credential_is_read_from_the_directory_that_systemd_gives() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("key"), "s3cr3t\n").unwrap();
        let given =
            Environment::of([("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())]);
        let credential = || SecretRef::Credential("key".to_owned());
        assert_eq!(outcome(credential(), &given), Ok("s3cr3t".to_owned()));
        assert_eq!(
            outcome(credential(), &Environment::of([])),
            Err("credential `key` cannot be read: $CREDENTIALS_DIRECTORY is not set; \
                 give it with LoadCredential= in the unit, or with \
                 CREDENTIALS_DIRECTORY=/etc/notafter/credentials in front of a command"
                .to_owned())
        );
    }

    #[test]
    fn a_credential_of_a_folder_is_found_by_the_name_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let given =
            Environment::of([("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())]);
        let credential = || outcome(SecretRef::Credential("key".to_owned()), &given);
        let missing = credential().unwrap_err();
        assert!(missing.starts_with("credential `key` cannot be read: No such file"), "{missing}");
        fs::write(directory.path().join("notafter_key"), "of the folder").unwrap();
        assert_eq!(credential(), Ok("of the folder".to_owned()));
        fs::write(directory.path().join("key"), "of its own").unwrap();
        assert_eq!(credential(), Ok("of its own".to_owned()));
    }

    #[test]
    fn debug_shows_the_place_and_not_the_secret() {
        let environment = Environment::of([("THE_KEY", "s3cr3t")]);
        let secret = Secret::new(SecretRef::Env("THE_KEY".to_owned()), &environment);
        assert_eq!(
            format!("{secret:?}"),
            "Secret { reference: Env(\"THE_KEY\"), environment: Environment }"
        );
    }

    #[test]
    fn a_file_that_everyone_may_read_is_dangerous() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "s3cr3t").unwrap();
        let secret = Secret::new(SecretRef::File(path.clone()), &Environment::of([]));
        for (mode, dangerous) in [(0o644, true), (0o640, false), (0o400, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret.danger().is_some(), dangerous, "{mode:o}");
        }
    }
}
