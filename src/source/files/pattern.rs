//! Paths and globs as the configuration writes them.

use std::ffi::OsString;
use std::path::{Component, Path};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// What a path is a glob by.
const WILD: [char; 4] = ['*', '?', '[', '{'];

/// More ways to read the braces of one pattern than anybody writes by hand.
const MOST_WAYS: usize = 1024;

/// A path, or a glob: braces stand for alternatives, `*`, `?` and `[…]` for what is in one name, `**` for any folders.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As it is written.
    pub(super) text: String,
    /// Whether it names one path.
    pub(super) is_literal: bool,
    /// What it stands for, one for each way to read its braces.
    pub(super) ways: Vec<Vec<Part>>,
}

/// What one name of a path may be.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// That name.
    Name(OsString),
    /// A name that matches.
    Match(GlobMatcher),
    /// Any number of folders, one in the other.
    Folders,
}

impl Pattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let pattern = written(text)?;
        let is_literal = !pattern.contains(WILD);
        let ways = expand(&pattern)?;
        let ways = ways.iter().map(|way| parts(text, way)).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), is_literal, ways })
    }
}

/// Returns the pattern as a path from the root.
fn written(text: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix('!') {
        return Err(format!(
            "`{text}` is not a path: to leave files out, write `exclude = [\"{path}\"]`"
        ));
    }
    if text.contains('\0') {
        return Err(format!("{text:?} is not a path"));
    }
    let path = std::path::absolute(text).map_err(|error| format!("`{text}`: {error}"))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| format!("`{text}` begins in a folder with a name that is not UTF-8"))
}

fn parts(text: &str, way: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for component in Path::new(way).components() {
        let name = match component {
            Component::Normal(name) => name.to_string_lossy(),
            Component::ParentDir => "..".into(),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
        };
        parts.push(match &*name {
            "**" => Part::Folders,
            name if name.contains(WILD) => Part::Match(matcher(text, name)?),
            name => Part::Name(name.into()),
        });
    }
    if matches!(parts.last(), Some(Part::Folders)) {
        parts.push(Part::Match(matcher(text, "*")?));
    }
    Ok(parts)
}

fn matcher(text: &str, name: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(name).literal_separator(true).backslash_escape(false).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| not_a_glob(text, &error))
}

fn not_a_glob(text: &str, error: &globset::Error) -> String {
    format!("`{text}` is not a glob: {}", error.kind())
}

/// Returns every way to read the braces of a pattern. They may hold a `/`, so that a name alone cannot be matched.
fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let mut whole = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(next) = open.pop() {
        if whole.len() + open.len() > MOST_WAYS {
            return Err(format!("`{pattern}` stands for more than {MOST_WAYS} patterns"));
        }
        match alternatives(&next).map_err(|why| format!("`{pattern}` is not a glob: {why}"))? {
            // The last is taken first: the first is to be the first.
            Some(mut ways) => open.extend(ways.drain(..).rev()),
            None => whole.push(next),
        }
    }
    Ok(whole)
}

/// Puts each alternative of the first braces in their place; `None` where there are no braces.
fn alternatives(pattern: &str) -> Result<Option<Vec<String>>, &'static str> {
    let Some(begin) = first_brace(pattern) else { return Ok(None) };
    let (mut depth, mut from, mut inside) = (0_u32, begin + 1, Vec::new());
    let (before, _) = pattern.split_at(begin);
    for (at, character) in pattern.char_indices().skip_while(|(at, _)| *at < begin) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {}
            _ => continue,
        }
        if depth == 0 || character == ',' && depth == 1 {
            inside.push(pattern.get(from..at).unwrap_or_default());
            from = at + 1;
        }
        if depth == 0 {
            let after = pattern.get(from..).unwrap_or_default();
            let whole = inside.iter().map(|one| format!("{before}{one}{after}"));
            return Ok(Some(whole.collect()));
        }
    }
    Err("a brace is not closed")
}

/// Returns where the first braces begin. Within `[…]` a brace is a character.
fn first_brace(pattern: &str) -> Option<usize> {
    let mut within = false;
    pattern.char_indices().find_map(|(at, character)| {
        within = match character {
            '[' => true,
            ']' => false,
            _ => within,
        };
        (character == '{' && !within).then_some(at)
    })
}

/// Paths that are left out, with everything below them.
#[derive(Debug, Default)]
pub(super) struct Exclude(GlobSet);

impl Exclude {
    /// Reads patterns, or says what is wrong with one. One that does not begin at the root holds in every folder.
    pub(super) fn new(globs: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for text in globs {
            if text.starts_with('!') {
                return Err(format!(
                    "`{text}`: what `exclude` names is left out; take the `!` away"
                ));
            }
            let text = text.trim_end_matches('/');
            let anywhere = if text.starts_with('/') { "" } else { "**/" };
            // A folder whose content is left out need not be looked into.
            let folder = text.strip_suffix("/**").unwrap_or(text);
            let glob = GlobBuilder::new(&format!("{anywhere}{folder}"))
                .literal_separator(true)
                .backslash_escape(false)
                .build();
            set.add(glob.map_err(|error| not_a_glob(text, &error))?);
        }
        Ok(Self(set.build().map_err(|error| error.to_string())?))
    }

    /// Returns whether a path, or a folder that it leads through, is left out.
    pub(super) fn covers(&self, path: &Path) -> bool {
        !self.0.is_empty() && path.ancestors().any(|path| self.0.is_match(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_alternatives_also_across_folders() {
        for (pattern, expected) in [
            ("/a", &["/a"][..]),
            ("/a.{pem,crt}", &["/a.pem", "/a.crt"]),
            (
                "/{a/b,c}/*.{pem,c{,e}rt}",
                &["/a/b/*.pem", "/a/b/*.crt", "/a/b/*.cert", "/c/*.pem", "/c/*.crt", "/c/*.cert"],
            ),
            ("/a{,.bak}", &["/a", "/a.bak"]),
            ("/[{]a", &["/[{]a"]),
            ("/é{ü}ß", &["/éüß"]),
        ] {
            assert_eq!(expand(pattern).unwrap(), expected, "{pattern}");
        }
        assert!(expand("/{a,b").unwrap_err().contains("not closed"));
        assert!(expand(&"{a,b}".repeat(20)).unwrap_err().contains("more than 1024"));
    }

    #[test]
    fn what_cannot_be_a_path_is_refused_with_what_to_write_instead() {
        for (text, part) in [
            ("!/etc/ssl/old.pem", "write `exclude = [\"/etc/ssl/old.pem\"]`"),
            ("/etc/[a.pem", "`/etc/[a.pem` is not a glob"),
            ("/etc/{a.pem", "a brace is not closed"),
        ] {
            let why = Pattern::new(text).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert!(Exclude::new(&["!/a".to_owned()]).unwrap_err().contains("take the `!` away"));
    }

    #[test]
    fn what_is_left_out_is_left_out_with_all_below_it() {
        let globs = ["**/archive/**", "/etc/ssl/java", "*.key", "old/"].map(str::to_owned);
        let exclude = Exclude::new(&globs).unwrap();
        for (path, expected) in [
            ("/etc/letsencrypt/archive", true),
            ("/etc/letsencrypt/archive/a/cert1.pem", true),
            ("/etc/letsencrypt/archives/a.pem", false),
            ("/etc/ssl/java/cacerts", true),
            ("/opt/etc/ssl/java", false),
            ("/a/b.key", true),
            ("/a/b.pem", false),
            ("/a/old/b.pem", true),
        ] {
            assert_eq!(exclude.covers(Path::new(path)), expected, "{path}");
        }
    }
}
