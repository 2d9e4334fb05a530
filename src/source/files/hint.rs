//! What to do where reading is not allowed: who we are, what is closed, and whom it is open to.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, geteuid};

/// What the unit's `ProtectHome=` hides.
const HIDDEN: [&str; 3] = ["/home", "/root", "/run/user"];

/// Says why a path cannot be read, and what to do. Without marks that a chat would have to take out.
pub(super) fn why(path: &Path, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error.to_string();
    }
    let user = user(geteuid());
    let Some((closed, metadata)) = closed_at(path) else {
        return format!("{error}; notafter runs as {user}");
    };
    let (mode, shown) = (metadata.mode() & 0o7777, super::look::place(closed));
    if mode == 0 && HIDDEN.iter().any(|hidden| closed == Path::new(hidden)) {
        return format!(
            "{error}; the unit hides {shown} (ProtectHome=): keep certificates elsewhere, or open it there"
        );
    }
    let gid = Gid::from_raw(metadata.gid());
    let group = if is_foreign(gid) { None } else { Some(group(gid)) };
    let way = way(&user, (gid, group.as_deref()), (mode, metadata.is_dir()), &shown);
    let named = group.map(|group| format!(" and group {group}")).unwrap_or_default();
    format!(
        "{error}; notafter runs as {user}, {shown} has mode {mode:04o}{named}: {way}. Leave out with exclude what holds keys and \
         no certificate"
    )
}

/// Says how a user is let in: by the group, unless that is one that may do everything, or not known.
fn way(
    user: &str,
    (gid, group): (Gid, Option<&str>),
    (mode, folder): (u32, bool),
    shown: &str,
) -> String {
    let (needed, wanted) = if folder { (0o050, "rx") } else { (0o040, "r") };
    if gid.as_raw() == 0 {
        return format!("setfacl -m u:{user}:{wanted} {shown} lets it read that and nothing else");
    }
    let join = match group {
        Some(group) => {
            format!("add {user} to that group (SupplementaryGroups={group} in the unit)")
        }
        None => format!(
            "add {user} to its group, which ls -ld shows outside of the unit (SupplementaryGroups=)"
        ),
    };
    let opened =
        if mode & needed == needed { String::new() } else { format!(", and chmod g+{wanted}") };
    join + &opened
}

/// Returns whether this stands for every group that a namespace of users does not know: that of the unit knows two.
fn is_foreign(group: Gid) -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let unknown = read("/proc/sys/kernel/overflowgid").trim().parse() == Ok(group.as_raw());
    let knows_all = |map: &str| map.split_whitespace().eq(["0", "0", "4294967295"]);
    unknown && !knows_all(&read("/proc/self/gid_map"))
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
            format!("notafter runs as {user}"),
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

    fn gid_of(path: &Path) -> (Gid, Option<&'static str>) {
        let gid = Gid::from_raw(path.metadata().unwrap().gid());
        (gid, Some(group(gid).leak()))
    }

    #[test]
    fn nobody_is_told_to_join_the_group_of_root() {
        let of = |gid, mode, folder| {
            way("notafter", (Gid::from_raw(gid), Some("g")), (mode, folder), "/a")
        };
        assert_eq!(
            of(0, 0o600, false),
            "setfacl -m u:notafter:r /a lets it read that and nothing else"
        );
        assert_eq!(
            of(0, 0o700, true),
            "setfacl -m u:notafter:rx /a lets it read that and nothing else"
        );
        let join = "add notafter to that group (SupplementaryGroups=g in the unit)";
        assert_eq!(of(7, 0o640, false), join);
        let unknown = way("notafter", (Gid::from_raw(65_534), None), (0o640, false), "/a");
        assert!(unknown.contains("outside of the unit"), "{unknown}");
        assert_eq!(of(7, 0o700, true), format!("{join}, and chmod g+rx"));
    }
}
