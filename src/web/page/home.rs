//! `/`: the answer first, then what it is made of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use tokio::time::timeout;

use super::ahead;
use super::answer::{Answer, Facts, answer};
use super::layout::{self, Failure, Part};
use super::links;
use super::list;
use super::notifications::{self, Channel};
use super::reader::Reader;
use super::texts::{count, day, shown};
use super::timeline::Drawing;
use super::trouble::{self, Colour, Standing};
use crate::catalog::{By, Catalog, CatalogError, Count, EndingFirst, Page, Query};
use crate::expiry::{Ahead, Overview, Status};
use crate::scan::SourceStatus;
use crate::web::Shared;

/// Certificates that are shown of those that need somebody.
const URGENT: usize = 8;

/// How far behind an expired certificate is still urgent: 30 days.
const BEHIND: i64 = 30 * 86_400;

/// What is known of certificates. It takes some passes over all of them.
struct Counted {
    overview: Overview,
    /// The names may be unreadable while everything else is known.
    urgent: Result<Page, CatalogError>,
    not_deployed: u64,
    ends_first: Vec<EndingFirst>,
    ahead: Arc<Ahead>,
    days: Vec<Count>,
    months: Vec<Count>,
}

/// What was last counted, with the state of the inventory and the minute that it was counted in.
#[derive(Default)]
pub(in crate::web) struct Cache(Mutex<Option<(u64, i64, Arc<Counted>)>>);

/// What is shown.
struct Home {
    counted: Arc<Counted>,
    sources: Arc<Vec<SourceStatus>>,
    standings: Vec<Standing>,
    /// Whether rooms are reached; not known while the store cannot be read.
    channels: Vec<Channel>,
}

/// Answers the first page. Links of older messages name a certificate in its query: they lead to the list.
pub(super) async fn page(State(shared): State<Arc<Shared>>, reader: Reader) -> Response {
    if let Some((_, query)) = reader.here.split_once('?').filter(|(_, query)| !query.is_empty()) {
        return to_the_list(query);
    }
    match timeout(shared.limits.answer, Home::read(&shared, &reader)).await {
        Ok(Ok(home)) => home.answer(&reader),
        Ok(Err(error)) => Failure::from(error).answer(&reader, Part::Overview),
        Err(_) => Failure::late(&reader).answer(&reader, Part::Overview),
    }
}

fn to_the_list(query: &str) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/certificates?{query}")) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

impl Cache {
    /// Returns what was counted of this state in this minute, or counts.
    async fn counted(
        &self,
        shared: &Shared,
        reader: &Reader,
    ) -> Result<Arc<Counted>, CatalogError> {
        let version = shared.state.view.borrow().version();
        let minute = reader.now.seconds().div_euclid(60);
        let known =
            self.lock().as_ref().filter(|known| (known.0, known.1) == (version, minute)).cloned();
        if let Some((_, _, counted)) = known {
            return Ok(counted);
        }
        let counted = Arc::new(Counted::count(&shared.state.catalog, reader).await?);
        if counted.urgent.is_ok() {
            *self.lock() = Some((version, minute, Arc::clone(&counted)));
        }
        Ok(counted)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, i64, Arc<Counted>)>> {
        // A value is whole whenever somebody sees it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    async fn count(catalog: &Catalog, reader: &Reader) -> Result<Self, CatalogError> {
        let from = day(reader.now.plus(-BEHIND));
        let urgent = [("status", "active"), ("sort", "urgency"), ("limit", "50")];
        let urgent = asked(urgent.into_iter().chain([("ends_from", from.as_str())]))?;
        let not_deployed = asked([("not_deployed", "true"), ("limit", "1")])?;
        let urgent = async { Ok(catalog.list(&urgent).await) };
        let (overview, urgent, not_deployed, ends_first, days, months) = tokio::try_join!(
            catalog.overview(),
            urgent,
            catalog.list(&not_deployed),
            catalog.ends_first(),
            catalog.timeline(By::Day),
            catalog.timeline(By::Month),
        )?;
        let not_deployed = not_deployed.total_at_least;
        let ahead = catalog.ahead();
        Ok(Self { overview, urgent, not_deployed, ends_first, ahead, days, months })
    }
}

impl Home {
    async fn read(shared: &Shared, reader: &Reader) -> Result<Self, CatalogError> {
        let counted = shared.home.counted(shared, reader).await?;
        let sources = Arc::clone(&shared.state.sources.borrow());
        let standings = trouble::standings(&sources, shared, reader);
        let channels = notifications::channels(shared).await.unwrap_or_default();
        Ok(Self { counted, sources, standings, channels })
    }

    fn answer(&self, reader: &Reader) -> Response {
        let channels: Vec<Colour> =
            self.channels.iter().map(|channel| channel.standing(reader).0).collect();
        let facts = Facts {
            overview: &self.counted.overview,
            not_deployed: self.counted.not_deployed,
            ends_first: self.counted.ends_first.len() as u64,
            sources: &self.standings,
            channels: &channels,
        };
        let first = answer(&facts, reader);
        let body = html! {
            (self.first(&first, reader))
            @if self.sources.is_empty() { (nothing_to_watch(reader)) }
            (self.timeline(reader))
            (self.urgent(reader))
            (self.sources(reader))
            (self.channels(reader))
        };
        layout::answer(reader, Part::Overview, reader.say("Overview", "概览"), &body)
    }

    fn first(&self, first: &Answer, reader: &Reader) -> Markup {
        html! {
            section.answer.(first.colour.class()) #answer data-live {
                h1 { (first.sentence) }
                ul.figures { @for (link, number, word) in self.figures(reader) {
                    li { a href=(link) { b { (count(number)) } " " (word) } }
                } }
            }
        }
    }

    /// What is counted, each with the list of it. Those that are none are left out.
    fn figures(&self, reader: &Reader) -> Vec<(String, u64, &'static str)> {
        let Overview { total, undated, long_ended, .. } = self.counted.overview;
        let status = |status: Status| {
            let number = self.counted.overview.by_status.get(status.as_str()).copied().unwrap_or(0);
            (links::list(&[("status", status.as_str())]), number, reader.status(status))
        };
        let mut figures = vec![
            (links::list(&[]), total, reader.say("in all", "总数")),
            status(Status::Active),
            status(Status::Superseded),
            (list::undated(), undated, reader.say("without an end", "无到期日")),
            (list::long_ended(reader), long_ended, reader.say("ended long ago", "早已到期")),
            (
                list::not_deployed(),
                self.counted.not_deployed,
                reader.say("renewed, not deployed", "已续期未部署"),
            ),
        ];
        figures.retain(|(_, number, _)| *number > 0);
        figures
    }

    fn urgent(&self, reader: &Reader) -> Markup {
        html! {
            section #urgent data-live {
                h2 { (reader.say("What needs somebody", "需要处理")) }
                (ahead::ends_first(&self.counted.ends_first, reader))
                (ahead::cliffs(&self.counted.ahead.cliffs, reader))
                @if self.counted.overview.on_a_rung() == 0 {
                    p.empty { (reader.say(
                        "No active certificate has crossed a rung of its ladder.",
                        "没有使用中的证书进入提醒阈值。",
                    )) }
                } @else {
                    (rungs(&self.counted.overview, reader))
                    @match &self.counted.urgent {
                        Ok(page) => (self.soonest(page, reader)),
                        Err(error) => p.error { (trouble::words(&error.to_string())) },
                    }
                }
            }
        }
    }

    fn soonest(&self, page: &Page, reader: &Reader) -> Markup {
        let on_a_rung = page.items.iter().filter(|entry| entry.rung.is_some());
        let all = self.counted.overview.on_a_rung();
        html! {
            (list::table(on_a_rung.take(URGENT), None, reader))
            @if all > URGENT as u64 {
                p { a href=(list::soonest(reader)) {
                    (reader.say("All of them", "查看全部")) " (" (count(all)) ")"
                } }
            }
        }
    }

    fn timeline(&self, reader: &Reader) -> Markup {
        let days = reader.say("The next 90 days, by day", "未来 90 天(按天)");
        let months = reader.say("The next 36 months, by month", "未来 36 个月(按月)");
        html! {
            section #timeline {
                h2 { (reader.say("When active certificates expire", "使用中证书的到期时间")) }
                div.drawings {
                    (Drawing { title: days, counts: &self.counted.days, months: None }.drawn(reader))
                    (Drawing {
                        title: months,
                        counts: &self.counted.months,
                        months: Some(&*self.counted.ahead),
                    }
                    .drawn(reader))
                }
            }
        }
    }

    fn channels(&self, reader: &Reader) -> Markup {
        html! {
            section #channels data-live {
                h2 { (reader.say("Channels", "通道")) }
                @if self.channels.is_empty() { (notifications::none(reader)) }
                ul.lines {
                    @for channel in &self.channels {
                        @let (colour, sentence) = channel.standing(reader);
                        li.(colour.class()) {
                            a href="/notifications" { (shown(&channel.name)) }
                            span { (sentence) }
                        }
                    }
                }
            }
        }
    }

    fn sources(&self, reader: &Reader) -> Markup {
        html! {
            section #sources data-live {
                h2 { (reader.say("Sources", "来源")) }
                ul.lines {
                    @for (source, standing) in self.sources.iter().zip(&self.standings) {
                        li.(standing.colour.class()) {
                            a href=(links::source(&source.name)) { (shown(&source.name)) }
                            span { (standing.sentence) }
                            @if let Some(at) = standing.proven {
                                span.dim { (reader.say("proven", "核实于")) " " (reader.distance(at)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the question with these parameters, which are right.
fn asked<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Query, CatalogError> {
    Query::read(pairs).map_err(|mistake| CatalogError::Mistaken(mistake.detail))
}

fn nothing_to_watch(reader: &Reader) -> Markup {
    html! {
        p.empty {
            (reader.say(
                "Add a [[source]] to the configuration (notafter.toml shows every kind), let it be checked by ",
                "请在配置中添加 [[source]](notafter.toml 列出了所有类型),用以下命令检查：",
            ))
            code { "notafter check" }
            (reader.say(", and reload the daemon.", "，然后重新加载守护进程。"))
        }
    }
}

/// How many stand on each rung, the tightest first, each with its list.
fn rungs(overview: &Overview, reader: &Reader) -> Markup {
    html! {
        p.chips { @for (rung, number) in overview.rungs.iter().rev() {
            @let label = rung.as_label();
            a.chip.(super::answer::of_rung(*rung).class())
                href=(links::list(&[("rung", &label), ("status", "active")])) {
                (reader.rung(&label)) " " b { (count(*number)) }
            }
        } }
    }
}
