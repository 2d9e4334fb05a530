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
    let gid = Gid::from_raw(metadata.gid());
    let (group, shown) = (group(gid), super::look::place(closed));
    let way = way(&user, (gid, &group), (mode, folder), &shown);
    format!(
        "{error}; notafter runs as `{user}`, and {shown} has mode {mode:04o} and group `{group}`: {way}. Leave out with \
         `exclude` what holds keys and no certificate"
    )
}

/// Says how a user is let in: by the group, unless that is one that may do everything.
fn way(user: &str, (gid, group): (Gid, &str), (mode, folder): (u32, bool), shown: &str) -> String {
    let (needed, wanted) = if folder { (0o050, "rx") } else { (0o040, "r") };
    if gid.as_raw() == 0 {
        return format!(
            "`setfacl -m u:{user}:{wanted} {shown}` lets it read that and nothing else"
        );
    }
    let join =
        format!("add `{user}` to the group `{group}` (`SupplementaryGroups={group}` in the unit)");
    if mode & needed == needed {
        return join;
    }
    format!("{join}, and open it to the group with `chmod g+{wanted}`")
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
        let user = user(geteuid());
        for part in [
            format!("notafter runs as `{user}`"),
            format!("{} has mode 0700", folder.path().display()),
            ": ".to_owned()
                + &way(
                    &user,
                    gid_of(folder.path()),
                    (0o700, true),
                    &folder.path().display().to_string(),
                ),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        assert_eq!(why(folder.path(), &io::Error::other("worn out")), "worn out");
    }

    fn gid_of(path: &Path) -> (Gid, &'static str) {
        let gid = Gid::from_raw(path.metadata().unwrap().gid());
        (gid, group(gid).leak())
    }

    #[test]
    fn nobody_is_told_to_join_the_group_of_root() {
        let of =
            |gid, mode, folder| way("notafter", (Gid::from_raw(gid), "g"), (mode, folder), "/a");
        assert_eq!(
            of(0, 0o600, false),
            "`setfacl -m u:notafter:r /a` lets it read that and nothing else"
        );
        assert_eq!(
            of(0, 0o700, true),
            "`setfacl -m u:notafter:rx /a` lets it read that and nothing else"
        );
        let join = "add `notafter` to the group `g` (`SupplementaryGroups=g` in the unit)";
        assert_eq!(of(7, 0o640, false), join);
        assert_eq!(
            of(7, 0o700, true),
            format!("{join}, and open it to the group with `chmod g+rx`")
        );
    }
}
