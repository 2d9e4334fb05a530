//! The regions that are known.

use super::*;
use crate::config::{Environment, Mistakes, load};
use crate::source::full_scan_default;
use crate::source::tencent::deps;

#[tokio::test]
async fn a_region_that_the_vendor_does_not_have_is_a_warning_that_names_the_nearest() {
    assert!(REGIONS.is_sorted(), "they are easily compared with the vendor's");
    let environment = Environment::of([("ID", "the-id"), ("KEY", "hunter2")]);
    let built = |region: &str| {
        let text = format!(
            "[[source]]\nname = 's'\nkind = 'tencent-mqtt'\nschedule = 'every 1h'\n[source.options]\n\
             region = '{region}'\nsecret_id = {{ env = 'ID' }}\nsecret_key = {{ env = 'KEY' }}"
        );
        let (config, _) = load(&text, &environment, full_scan_default);
        let mut mistakes = Mistakes::default();
        let (deps, sources) = (deps(), config.unwrap().sources);
        let context = Context { deps: &deps, sources: &sources };
        let built = crate::source::build(&sources[0], &context, &mut mistakes);
        (built.is_some(), mistakes.render("x.toml", &text))
    };
    for region in REGIONS {
        assert_eq!(built(region), (true, String::new()), "{region}");
    }
    let (is_built, said) = built("ap-guangzuo");
    assert!(is_built, "the vendor may have it by now");
    let hint = "x.toml:6:10: warning: unknown region `ap-guangzuo`; did you mean `ap-guangzhou`?";
    assert!(said.starts_with(hint), "{said}");
    let (is_built, said) = built("ap guangzhou");
    assert!(!is_built && said.contains("a region is written like `ap-guangzhou`"), "{said}");
}
