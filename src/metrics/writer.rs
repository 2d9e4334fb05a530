//! Writes families in the text formats that Prometheus reads.

use std::io::{self, Write};

/// Bytes that are gathered before they are handed on.
const PORTION: usize = 32 * 1024;

/// A text format of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// Returns the media type; Prometheus 3 refuses a scrape whose type is missing or odd.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What the samples of a family mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Only grows; the name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Labels that describe; always 1; the name ends in `_info`.
    Info,
    /// Observations so far.
    Histogram,
    /// How things are distributed now. Only `OpenMetrics` knows it.
    GaugeHistogram,
    /// A part of a gauge histogram, in the format that does not know it.
    Untyped,
}

/// A name, what its samples mean, and how to read them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family<'a> {
    /// The name as samples carry it, histograms apart, which add to it.
    pub(super) name: &'a str,
    /// What the samples mean.
    pub(super) shape: Shape,
    /// What is counted, in which unit, and how old it may be.
    pub(super) help: &'a str,
}

/// A number as a sample carries it. Whole numbers stay whole.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// A time or a difference, in seconds.
    Int(i64),
    /// A count.
    Count(u64),
    /// A sum that may not fit a smaller type.
    Wide(i128),
    /// Anything else.
    Float(f64),
}

/// Writes families one after the other. A family without samples leaves no trace.
pub(super) struct Writer<W> {
    out: W,
    format: Format,
    buffer: String,
    name: String,
    header: String,
    digits: itoa::Buffer,
}

impl<W: Write> Writer<W> {
    /// Begins an exposition.
    pub(super) fn new(out: W, format: Format) -> Self {
        Self {
            out,
            format,
            buffer: String::with_capacity(PORTION + 4096),
            name: String::new(),
            header: String::new(),
            digits: itoa::Buffer::new(),
        }
    }

    /// Returns the format that is written.
    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// Begins a family; all its samples follow before the next one begins.
    pub(super) fn family(&mut self, family: Family<'_>) {
        self.name.clear();
        self.name.push_str(family.name);
        self.header.clear();
        let (name, word) = described(self.format, family);
        for part in ["# HELP ", name, " "] {
            self.header.push_str(part);
        }
        let quotes = self.format == Format::OpenMetrics;
        escape(family.help, quotes, |text| self.header.push_str(text));
        for part in ["\n# TYPE ", name, " ", word, "\n"] {
            self.header.push_str(part);
        }
    }

    /// Writes one sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: Value) -> io::Result<()> {
        self.part("", labels, None, value)
    }

    /// Writes one sample whose name has a suffix, and the bucket's bound when there is one.
    pub(super) fn part(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: Value,
    ) -> io::Result<()> {
        self.open(suffix);
        let bound = bound.map(|bound| ("le", bound));
        for (index, (name, value)) in labels.iter().copied().chain(bound).enumerate() {
            self.buffer.push(if index == 0 { '{' } else { ',' });
            push_label(name, value, &mut self.buffer);
        }
        if !labels.is_empty() || bound.is_some() {
            self.buffer.push('}');
        }
        self.close(value)
    }

    /// Writes one sample whose labels are escaped already.
    pub(super) fn prepared(&mut self, labels: &[&str], value: Value) -> io::Result<()> {
        self.open("");
        self.buffer.push('{');
        for part in labels {
            self.buffer.push_str(part);
        }
        self.buffer.push('}');
        self.close(value)
    }

    /// Ends the exposition and hands the output back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.format == Format::OpenMetrics {
            self.buffer.push_str("# EOF\n");
        }
        self.pause()
    }

    /// Hands the output back in the middle of the exposition, between two families.
    pub(super) fn pause(mut self) -> io::Result<W> {
        self.out.write_all(self.buffer.as_bytes())?;
        Ok(self.out)
    }

    fn open(&mut self, suffix: &str) {
        self.buffer.push_str(&self.header);
        self.header.clear();
        self.buffer.push_str(&self.name);
        self.buffer.push_str(suffix);
    }

    fn close(&mut self, value: Value) -> io::Result<()> {
        self.buffer.push(' ');
        match value {
            Value::Int(number) => self.buffer.push_str(self.digits.format(number)),
            Value::Count(number) => self.buffer.push_str(self.digits.format(number)),
            Value::Wide(number) => self.buffer.push_str(self.digits.format(number)),
            Value::Float(number) => self.buffer.push_str(&float(number)),
        }
        self.buffer.push('\n');
        if self.buffer.len() < PORTION {
            return Ok(());
        }
        self.out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }
}

/// Appends `name="value"` with the value escaped.
pub(super) fn push_label(name: &str, value: &str, text: &mut String) {
    text.push_str(name);
    text.push_str("=\"");
    escape(value, true, |part| text.push_str(part));
    text.push('"');
}

/// Returns the bound of a bucket as a label.
///
/// Both formats write the same text, so that a series is the same whichever was negotiated; `OpenMetrics` wants
/// small whole numbers with a point.
pub(super) fn bound(value: f64) -> String {
    let text = float(value);
    if value.is_finite() && !text.contains('.') { text + ".0" } else { text }
}

fn float(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn described(format: Format, family: Family<'_>) -> (&str, &'static str) {
    let stem = |suffix| family.name.strip_suffix(suffix).unwrap_or(family.name);
    match (format, family.shape) {
        (Format::Text, Shape::Counter) => (family.name, "counter"),
        (Format::OpenMetrics, Shape::Counter) => (stem("_total"), "counter"),
        (Format::OpenMetrics, Shape::Info) => (stem("_info"), "info"),
        (_, Shape::Gauge) | (Format::Text, Shape::Info) => (family.name, "gauge"),
        (_, Shape::Histogram) => (family.name, "histogram"),
        (Format::OpenMetrics, Shape::GaugeHistogram) => (family.name, "gaugehistogram"),
        (Format::OpenMetrics, Shape::Untyped) => (family.name, "unknown"),
        (Format::Text, Shape::GaugeHistogram | Shape::Untyped) => (family.name, "untyped"),
    }
}

/// Hands over `text` in parts, with backslash, newline and, in label values, the quote escaped.
///
/// Anything else is written as it is, control characters and NUL too: both formats allow it, and different texts
/// stay different.
fn escape(text: &str, quotes: bool, mut push: impl FnMut(&str)) {
    let special = |c: char| matches!(c, '\\' | '\n') || (quotes && c == '"');
    for part in text.split_inclusive(special) {
        let escaped = match part.chars().next_back() {
            Some('\\') => "\\\\",
            Some('\n') => "\\n",
            Some('"') if quotes => "\\\"",
            _ => {
                push(part);
                continue;
            }
        };
        push(part.strip_suffix(special).unwrap_or_default());
        push(escaped);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse::parse;
    use super::super::testing::hostile;
    use super::*;

    const GAUGE: Family<'_> =
        Family { name: "a_gauge", shape: Shape::Gauge, help: "A \"help\" with \\ and\nlines." };

    fn written(format: Format, write: impl FnOnce(&mut Writer<Vec<u8>>)) -> String {
        let mut writer = Writer::new(Vec::new(), format);
        write(&mut writer);
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn text_0_0_4() {
        let text = written(Format::Text, |out| {
            out.family(GAUGE);
            out.sample(&[], Value::Int(-3)).unwrap();
            out.sample(&[("a", "x\\\"\n")], Value::Float(0.25)).unwrap();
            out.family(Family { name: "empty", shape: Shape::Gauge, help: "None." });
            out.family(Family { name: "b_total", shape: Shape::Counter, help: "B." });
            out.sample(&[("a", "")], Value::Count(u64::MAX)).unwrap();
            out.family(Family { name: "c_info", shape: Shape::Info, help: "C." });
            out.prepared(&["a=\"1\"", ",b=\"2\""], Value::Wide(1)).unwrap();
        });
        let expected = "\
# HELP a_gauge A \"help\" with \\\\ and\\nlines.
# TYPE a_gauge gauge
a_gauge -3
a_gauge{a=\"x\\\\\\\"\\n\"} 0.25
# HELP b_total B.
# TYPE b_total counter
b_total{a=\"\"} 18446744073709551615
# HELP c_info C.
# TYPE c_info gauge
c_info{a=\"1\",b=\"2\"} 1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn openmetrics_names_families_without_their_suffix() {
        let text = written(Format::OpenMetrics, |out| {
            out.family(GAUGE);
            out.sample(&[], Value::Float(f64::INFINITY)).unwrap();
            out.family(Family { name: "b_total", shape: Shape::Counter, help: "B." });
            out.sample(&[], Value::Count(1)).unwrap();
            out.family(Family { name: "c_info", shape: Shape::Info, help: "C." });
            out.sample(&[("v", "1")], Value::Count(1)).unwrap();
            out.family(Family { name: "d", shape: Shape::GaugeHistogram, help: "D." });
            out.part("_bucket", &[], Some("+Inf"), Value::Count(1)).unwrap();
        });
        let expected = "\
# HELP a_gauge A \\\"help\\\" with \\\\ and\\nlines.
# TYPE a_gauge gauge
a_gauge +Inf
# HELP b B.
# TYPE b counter
b_total 1
# HELP c C.
# TYPE c info
c_info{v=\"1\"} 1
# HELP d D.
# TYPE d gaugehistogram
d_bucket{le=\"+Inf\"} 1
# EOF
";
        assert_eq!(text, expected);
    }

    #[test]
    fn bounds_have_a_point() {
        let bounds = [0.0, 0.05, 1.0, 86_400.0, 157_680_000.0, f64::INFINITY].map(bound);
        assert_eq!(bounds, ["0.0", "0.05", "1.0", "86400.0", "157680000.0", "+Inf"]);
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn any_label_round_trips(
            values in proptest::collection::vec(hostile(), 1..5),
            open_metrics in any::<bool>(),
        ) {
            let format = if open_metrics { Format::OpenMetrics } else { Format::Text };
            let text = written(format, |out| {
                out.family(GAUGE);
                for (index, value) in values.iter().enumerate() {
                    let labels = [("n", value.as_str()), ("i", &index.to_string())];
                    out.sample(&labels, Value::Int(0)).unwrap();
                }
            });
            let parsed = parse(&text, format).unwrap();
            let back: Vec<_> = parsed[0].samples.iter().map(|s| s.labels[0].1.clone()).collect();
            prop_assert_eq!(back, values);
        }
    }
}
