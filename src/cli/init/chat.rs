//! Which chat service is told: one that a URL leads to. The others need more than that, and the reference shows it.

use clap::Args;

/// Where the secret of a channel is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Credential(String),
    Env(String),
    File(String),
    /// The secret itself was given, which is not kept: it belongs into the usual place.
    Given,
}

/// Rooms to tell. WHERE is `credential:NAME`, `env:NAME` or `file:PATH`; left out: a credential.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chat {
    /// Feishu or Lark.
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "", value_parser = place)]
    pub(super) feishu: Option<Place>,
    /// `DingTalk`.
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "", value_parser = place)]
    pub(super) dingtalk: Option<Place>,
    /// `WeCom`.
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "", value_parser = place)]
    pub(super) wecom: Option<Place>,
    /// Slack.
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "", value_parser = place)]
    pub(super) slack: Option<Place>,
    /// Anything that takes JSON. The URL is a secret: it is not written down, wherever it is given.
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "", value_parser = place)]
    pub(super) webhook: Option<Place>,
}

impl Chat {
    /// The services, by kind.
    pub(super) const KINDS: [&str; 5] = ["feishu", "dingtalk", "wecom", "slack", "webhook"];

    /// Returns those that are told, by kind.
    pub(super) fn chosen(&self) -> Vec<(&'static str, &Place)> {
        let all = [&self.feishu, &self.dingtalk, &self.wecom, &self.slack, &self.webhook];
        Self::KINDS
            .into_iter()
            .zip(all)
            .filter_map(|(kind, place)| Some((kind, place.as_ref()?)))
            .collect()
    }

    /// Chooses a service by kind, its secret being a credential; false where there is none of that kind.
    pub(super) fn choose(&mut self, kind: &str) -> bool {
        let all = [
            &mut self.feishu,
            &mut self.dingtalk,
            &mut self.wecom,
            &mut self.slack,
            &mut self.webhook,
        ];
        let found = Self::KINDS.into_iter().zip(all).find(|(known, _)| *known == kind);
        found.map(|(_, place)| *place = Some(Place::Given)).is_some()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "clap's parsers may fail")]
fn place(text: &str) -> Result<Place, String> {
    Ok(match text.split_once(':') {
        Some(("credential", name)) => Place::Credential(name.to_owned()),
        Some(("env", name)) => Place::Env(name.to_owned()),
        Some(("file", path)) => Place::File(path.to_owned()),
        _ => Place::Given,
    })
}
