use super::super::testing::{Authority, Der, Leaf, NOW, leaf};
use super::*;
use crate::x509;

/// What is wrong with a chain that is served as `a.example` where `root` is trusted.
fn faults(root: &Authority, pinned: &[Der], chain: &[Der]) -> Vec<(InvalidReason, String)> {
    let trusted = Trusted::of(vec![root.der()], pinned.to_vec());
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let judge = Judge { trusted: &trusted, algorithms, now: NOW };
    let facts: Vec<_> = chain.iter().map(|der| x509::facts(der).ok().map(|it| it.0)).collect();
    let served = Served { chain: chain.to_vec(), wrong_key: false };
    judge.problems(&served, &facts, &ServerName::try_from("a.example").unwrap())
}

fn signed(by: &Authority, leaf: Leaf) -> Der {
    by.sign(leaf).0
}

/// What it is, the chain, and what is wrong with it.
type Case<'a> = (&'a str, Vec<Der>, &'a [(InvalidReason, &'a str)]);

/// Holds what is wrong with each chain against what is expected.
fn check(root: &Authority, cases: Vec<Case<'_>>) {
    for (what, chain, expected) in cases {
        let found = faults(root, &[], &chain);
        let found: Vec<_> = found.iter().map(|(fault, text)| (*fault, text.as_str())).collect();
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn what_any_client_takes() {
    let root = Authority::root("Root");
    let between = root.below("Between", 2036);
    let stranger = Authority::root("Stranger");
    let good = signed(&between, leaf(&["a.example"]));
    let chains = vec![
        vec![good.clone(), between.der()],
        vec![good.clone(), between.der(), root.der()],
        // With what nobody asked for.
        vec![good, between.der(), stranger.der()],
        vec![signed(&root, leaf(&["a.example"]))],
    ];
    for chain in chains {
        check(&root, vec![("good", chain, &[])]);
    }
}

#[test]
fn what_is_wrong_with_the_certificate_itself() {
    let root = Authority::root("Root");
    let stranger = Authority::root("Stranger");
    let cases: Vec<Case<'_>> = vec![
        (
            "expired",
            vec![signed(&root, leaf(&["a.example"]).years(2021, 2023))],
            &[(InvalidReason::Expired, "its certificate expired at 2023-01-01T00:00:00Z")],
        ),
        (
            "not yet",
            vec![signed(&root, leaf(&["a.example"]).years(2031, 2033))],
            &[(
                InvalidReason::NotYetValid,
                "its certificate is not valid before 2031-01-01T00:00:00Z",
            )],
        ),
        (
            "another name",
            vec![signed(&root, leaf(&["b.example", "c.example"]))],
            &[(
                InvalidReason::NameMismatch,
                "its certificate is for b.example, c.example, not for a.example",
            )],
        ),
        (
            "no name",
            vec![signed(&root, leaf(&[]))],
            &[(
                InvalidReason::NameMismatch,
                "its certificate has no alternative name, such as a.example",
            )],
        ),
        (
            "several",
            vec![signed(&stranger, leaf(&["b.example"]).years(2021, 2023)), stranger.der()],
            &[
                (InvalidReason::Expired, "its certificate expired at 2023-01-01T00:00:00Z"),
                (
                    InvalidReason::NameMismatch,
                    "its certificate is for b.example, not for a.example",
                ),
                (InvalidReason::Untrusted, "its authority CN=Stranger is not trusted"),
            ],
        ),
    ];
    check(&root, cases);
}

#[test]
fn what_is_wrong_with_the_chain() {
    let root = Authority::root("Root");
    let between = root.below("Between", 2036);
    let ended = root.below("Ended", 2024);
    let stranger = Authority::root("Stranger");
    let good = signed(&between, leaf(&["a.example"]));
    let own = leaf(&["a.example"]).self_signed().0;
    let cases: Vec<Case<'_>> = vec![
        (
            "itself",
            vec![own.clone()],
            &[(InvalidReason::SelfSigned, "its certificate is self-signed and not trusted")],
        ),
        (
            "itself, as an authority",
            vec![stranger.der()],
            &[
                (
                    InvalidReason::NameMismatch,
                    "its certificate has no alternative name, such as a.example",
                ),
                (InvalidReason::SelfSigned, "its certificate is self-signed and not trusted"),
            ],
        ),
        (
            "incomplete",
            vec![good.clone()],
            &[(
                InvalidReason::ChainIncomplete,
                "the certificate of CN=Between, which signed CN=rcgen self signed cert, is neither sent nor trusted",
            )],
        ),
        (
            "untrusted",
            vec![signed(&stranger, leaf(&["a.example"])), stranger.der()],
            &[(InvalidReason::Untrusted, "its authority CN=Stranger is not trusted")],
        ),
        (
            "wrong order",
            vec![good.clone(), root.der(), between.der()],
            &[(InvalidReason::WrongOrder, "its chain is in the wrong order")],
        ),
        (
            "an authority that expired",
            vec![signed(&ended, leaf(&["a.example"])), ended.der()],
            &[(InvalidReason::Expired, "its authority CN=Ended expired at 2024-01-01T00:00:00Z")],
        ),
    ];
    check(&root, cases);
}

#[test]
fn what_the_file_names_is_trusted_whatever_else_it_is() {
    let root = Authority::root("Root");
    let own = leaf(&["a.example"]).self_signed().0;
    assert_eq!(faults(&root, std::slice::from_ref(&own), std::slice::from_ref(&own)), []);
    let stranger = Authority::root("Stranger");
    let signed = stranger.sign(leaf(&["a.example"])).0;
    assert_eq!(faults(&root, &[stranger.der()], &[signed]), []);
    // An authority's certificate that a server shows as its own.
    let shown = faults(&root, &[stranger.der()], &[stranger.der()]);
    let kinds: Vec<_> = shown.into_iter().map(|(fault, _)| fault).collect();
    assert_eq!(kinds, [InvalidReason::NameMismatch]);
}

#[test]
fn a_key_that_is_not_there_is_a_fault_and_what_cannot_be_read_is_judged_elsewhere() {
    let root = Authority::root("Root");
    let trusted = Trusted::of(vec![root.der()], Vec::new());
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let judge = Judge { trusted: &trusted, algorithms, now: NOW };
    let der = root.sign(leaf(&["a.example"])).0;
    let name = ServerName::try_from("a.example").unwrap();
    let facts = vec![x509::facts(&der).ok().map(|it| it.0)];
    let mut served = Served { chain: vec![der], wrong_key: true };
    let found = judge.problems(&served, &facts, &name);
    let text = "the server does not hold the key of its certificate";
    assert_eq!(found, [(InvalidReason::Untrusted, text.to_owned())]);
    served.chain = vec![Der::from(vec![1, 2, 3])];
    assert_eq!(judge.problems(&served, &[None], &name), []);
}

#[test]
fn without_any_authority_nothing_is_said_about_trust() {
    let root = Authority::root("Root");
    let trusted = Trusted::of(Vec::new(), Vec::new());
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let judge = Judge { trusted: &trusted, algorithms, now: NOW };
    let der = root.sign(leaf(&["b.example"])).0;
    let facts = vec![x509::facts(&der).ok().map(|it| it.0)];
    let served = Served { chain: vec![der], wrong_key: false };
    let found = judge.problems(&served, &facts, &ServerName::try_from("a.example").unwrap());
    let kinds: Vec<_> = found.into_iter().map(|(fault, _)| fault).collect();
    assert_eq!(kinds, [InvalidReason::NameMismatch]);
}

#[test]
fn several_problems_are_one_verdict_that_names_what_any_client_sees() {
    let problem = |reason, text: &str| (reason, text.to_owned());
    let problems = vec![
        problem(InvalidReason::WrongOrder, "order"),
        problem(InvalidReason::Untrusted, "trust"),
        problem(InvalidReason::Expired, "time"),
    ];
    let detail = "time; trust; order; 1 of 2 addresses".to_owned();
    let expected = Invalid { reason: InvalidReason::Expired, detail };
    assert_eq!(verdict(problems, Some("1 of 2 addresses")), Some(expected));
    assert_eq!(verdict(Vec::new(), Some("1 of 2 addresses")), None);
    let all: std::collections::BTreeSet<_> = FIRST.into_iter().collect();
    assert_eq!(all.len(), InvalidReason::ALL.len());
}
