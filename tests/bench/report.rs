//! The table and the JSON.

#![expect(clippy::print_stdout, reason = "the table is what this is run for")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

/// What a figure is held against.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// No budget: said for the reader's sake.
    None,
    AtMost(f64),
    AtLeast(f64),
    Between(f64, f64),
}

/// Gathers figures, printing each as it comes.
pub(crate) struct Report {
    benchmark: String,
    /// The data set that the figures are of, if there are several.
    set: Option<&'static str>,
    /// Its size.
    size: u64,
    machine: Value,
    rows: u64,
    figures: Vec<Value>,
    missed: Vec<String>,
}

impl Report {
    pub(crate) fn new(rows: u64) -> anyhow::Result<Self> {
        let machine = machine()?;
        println!("notafter {} on {}", env!("CARGO_PKG_VERSION"), text(&machine));
        if cfg!(debug_assertions) {
            println!("THIS IS A DEBUG BUILD: its figures say nothing about budgets");
        }
        Ok(Self {
            benchmark: String::new(),
            set: None,
            size: rows,
            machine,
            rows,
            figures: Vec::new(),
            missed: Vec::new(),
        })
    }

    /// Begins the figures of one benchmark.
    pub(crate) fn begin(&mut self, benchmark: &str) {
        benchmark.clone_into(&mut self.benchmark);
        println!("\n{benchmark}");
        println!(
            "  {:<66} {:>12} {:>10} {:<7} {:>9}  verdict",
            "what", "measured", "budget", "unit", "of budget"
        );
    }

    /// Adds a figure and prints its line.
    pub(crate) fn add(&mut self, what: &str, value: f64, unit: &str, budget: Budget) {
        let (limit, met) = match budget {
            Budget::None => (None, None),
            Budget::AtMost(most) => (Some(most), Some(value <= most)),
            Budget::AtLeast(least) => (Some(least), Some(value >= least)),
            Budget::Between(least, most) => (Some(most), Some(least <= value && value <= most)),
        };
        let bound = match budget {
            Budget::None => String::new(),
            Budget::AtMost(most) => format!("<= {}", short(most)),
            Budget::AtLeast(least) => format!(">= {}", short(least)),
            Budget::Between(least, most) => format!("{} - {}", short(least), short(most)),
        };
        let ratio = limit.map(|limit| value / limit);
        let shown = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let verdict = met.map_or("", |met| if met { "met" } else { "MISSED" });
        println!("  {what:<66} {:>12} {bound:>10} {unit:<7} {shown:>9}  {verdict}", short(value));
        if met == Some(false) {
            self.missed.push(format!("{what}: {} {unit}, budget {bound}", short(value)));
        }
        self.figures.push(json!({
            "benchmark": self.benchmark, "what": what, "value": value, "unit": unit, "budget": bound, "met": met,
            "ratio": ratio, "set": self.set, "size": self.size,
        }));
    }

    /// Says of which data set the figures are that follow, and how large it is.
    pub(crate) fn of(&mut self, set: &'static str, size: u64) {
        (self.set, self.size) = (Some(set), size);
        println!("  {} certificates, {set}", words(size));
    }

    /// Prints the figures of two data sets side by side, by size.
    pub(crate) fn side_by_side(&mut self, [one, other]: [&str; 2]) {
        self.set = None;
        println!("\n  {:<66} {one:>12} {other:>12} unit", "side by side");
        let of = |set| self.figures.iter().filter(move |figure| figure["set"] == set);
        // Several figures have one name, being of one scan or another: both sets have them in one order.
        let mut seen: HashMap<(u64, &str), usize> = HashMap::new();
        for figure in of(one) {
            let name = |it: &'_ Value| (it["size"].clone(), it["what"].clone());
            let same = |it: &&Value| name(it) == name(figure);
            let key = (figure["size"].as_u64(), figure["what"].as_str());
            let before = seen.entry((key.0.unwrap_or_default(), key.1.unwrap_or_default()));
            let place = before.and_modify(|place| *place += 1).or_default();
            let beside = of(other).filter(same).nth(*place);
            let show = |figure: &Value| figure["value"].as_f64().map_or_else(String::new, short);
            let size = words(figure["size"].as_u64().unwrap_or_default());
            let what = format!("{size}: {}", figure["what"].as_str().unwrap_or_default());
            let (left, right) = (show(figure), beside.map_or_else(String::new, show));
            println!(
                "  {what:<66} {left:>12} {right:>12} {}",
                figure["unit"].as_str().unwrap_or_default()
            );
        }
    }

    /// Adds what a figure for each certificate is at each size, against the smallest: at most so many times as much, or
    /// growth would be worse than linear.
    pub(crate) fn growth(&mut self, what: &str, sizes: &[(u64, f64)], most: f64) {
        let [(smallest, base), .., (largest, last)] = sizes else { return };
        let name = format!("{what}, each: {} against {}", words(*largest), words(*smallest));
        self.add(&name, last / base, "x", Budget::AtMost(most));
    }

    /// Says something that is no figure.
    #[expect(clippy::unused_self, reason = "it speaks for the report")]
    pub(crate) fn say(&self, text: &str) {
        println!("  {text}");
    }

    /// Prints what was missed and writes the JSON, to `target/benchmarks.json` unless told otherwise.
    pub(crate) fn finish(self, to: Option<&Path>) -> anyhow::Result<()> {
        let judged = self.figures.iter().filter(|figure| !figure["met"].is_null()).count();
        println!("\n{} of {judged} budgets met", judged - self.missed.len());
        for missed in &self.missed {
            println!("  missed: {missed}");
        }
        let path = to.map_or_else(|| target().join("benchmarks.json"), PathBuf::from);
        let all = json!({"machine": self.machine, "rows": self.rows, "figures": self.figures});
        let text = serde_json::to_string_pretty(&all)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to {}", path.display());
        Ok(())
    }
}

/// Returns cargo's target folder.
pub(crate) fn target() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap_or(temporary).to_path_buf()
}

/// Writes a size as `--scale` takes it.
pub(crate) fn words(size: u64) -> String {
    match size {
        1_000_000.. if size.is_multiple_of(1_000_000) => format!("{}m", size / 1_000_000),
        1_000.. if size.is_multiple_of(1_000) => format!("{}k", size / 1_000),
        _ => size.to_string(),
    }
}

fn machine() -> anyhow::Result<Value> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0);
    Ok(json!({
        "cpu": model.unwrap_or("unknown"),
        "cores": std::thread::available_parallelism()?.get(),
        "memory_gib": kib / 1024 / 1024,
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
    }))
}

fn text(machine: &Value) -> String {
    let part = |name: &str| machine[name].as_str().unwrap_or_default().to_owned();
    let (cores, memory) = (&machine["cores"], &machine["memory_gib"]);
    format!("{} cores of {}, {memory} GiB, Linux {}", cores, part("cpu"), part("kernel"))
}

/// Writes a figure with three or four digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        0.0..0.1 => format!("{value:.4}"),
        0.1..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
