//! What to do where reading is not allowed: who we are, what is closed, and whom it is open to.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, geteuid};

/// Says why a path cannot be read.
pub(super) fn why(path: &Path, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error.to_string();
    }
    let user = user(geteuid());
    let Some((closed, metadata)) = closed_at(path) else {
        return format!("{error}; notafter runs as `{user}`");
    };
    let (mode, folder) = (metadata.mode() & 0o7777, metadata.is_dir());
    let group = group(Gid::from_raw(metadata.gid()));
    let needed = if folder { 0o050 } else { 0o040 };
    let opened = if mode & needed == needed {
        String::new()
    } else {
        let wanted = if folder { "g+rx" } else { "g+r" };
        format!(", and open it to the group with `chmod {wanted}`")
    };
    format!(
        "{error}; notafter runs as `{user}`, and {} has mode {mode:04o} and group `{group}`: add `{user}` to the \
         group `{group}` (`SupplementaryGroups={group}` in the unit){opened}",
        super::look::place(closed),
    )
}

/// Returns the last part of a path that can be looked at from outside: it, or its content, is what is closed.
fn closed_at(path: &Path) -> Option<(&Path, std::fs::Metadata)> {
    path.ancestors().find_map(|part| part.metadata().ok().map(|metadata| (part, metadata)))
}

fn user(id: Uid) -> String {
    User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name)
}

fn group(id: Gid) -> String {
    Group::from_gid(id).ok().flatten().map_or_else(|| id.to_string(), |group| group.name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_denied_path_names_who_we_are_and_the_group_to_join() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let text = why(&folder.path().join("a.pem"), &denied);
        let (user, group) = (user(geteuid()), group(nix::unistd::getegid()));
        for part in [
            format!("notafter runs as `{user}`"),
            format!("{} has mode 0700", folder.path().display()),
            format!("SupplementaryGroups={group}"),
            "chmod g+rx".to_owned(),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        assert_eq!(why(folder.path(), &io::Error::other("worn out")), "worn out");
    }
}
