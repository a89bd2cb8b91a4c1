//! The parts as processes of their own, so that each one's CPU and memory can be told apart.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::Percentiles;
use super::drive::{Driven, Load, Run};
use super::sink::Counts;

/// Longest a run may take to drain.
const DRAIN: Duration = Duration::from_secs(60);
/// Linux counts CPU in ticks of 10 ms.
const TICK_US: u64 = 10_000;

/// A running part; killed when dropped.
pub(crate) struct Part {
    pub(crate) port: u16,
    child: Child,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Part {
    pub(crate) fn sink() -> Result<Self> {
        let port = free_port()?;
        Self::of(
            port,
            Command::new(std::env::current_exe()?).args(["bench", "part", "sink", &port.to_string()]),
        )
    }

    pub(crate) fn sick(illness: &str) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        Self::of(port, command.args(["bench", "part", "sick", &port.to_string(), illness]))
    }

    pub(crate) fn bare(sink: u16) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        Self::of(port, command.args(["bench", "part", "bare", &port.to_string(), &sink.to_string()]))
    }

    /// Starts a process and waits until it listens.
    pub(crate) fn of(port: u16, command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn().context("starting a part")?;
        let mut part = Self { port, child };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(part);
            }
            if let Some(status) = part.child.try_wait()? {
                bail!("a part ended before it listened: {status}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("a part does not listen on port {port}")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Proportional set size.
    pub(crate) fn pss_mb(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let line = text.lines().find(|line| line.starts_with("Pss:")).context("no Pss")?;
        let kb: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok((kb / 1024.0 * 10.0).round() / 10.0)
    }

    pub(crate) fn reset(&self) -> Result<()> {
        get(self.port, "/_reset", &[]).map(|_| ())
    }

    pub(crate) fn counts(&self) -> Result<Counts> {
        Ok(serde_json::from_str(&get(self.port, "/_counts", &[])?)?)
    }
}

/// Drives the subject, waits until everything has arrived, and measures.
pub(crate) fn measure(load: &Load, sink: &Part, subject: &Part) -> Result<Run> {
    let (subject_before, sink_before) = (cpu_us(subject.pid())?, cpu_us(sink.pid())?);
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "part", "drive", &serde_json::to_string(load)?])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = output.wait_with_output()?;
    ensure!(output.status.success(), "the driver failed");
    let line =
        BufReader::new(output.stdout.as_slice()).lines().next().context("the driver said nothing")??;
    let driven: Driven = serde_json::from_str(&line)?;
    ensure!(
        driven.refused == 0,
        "{} of {} messages were refused",
        driven.refused,
        driven.accepted + driven.refused
    );
    let (counts, end_us) = drain(sink, &driven, load.keys)?;
    let seconds = (end_us.saturating_sub(driven.started_us)) as f64 / 1e6;
    let messages = driven.accepted.max(1) as f64;
    let requests: u64 = counts.requests.iter().sum();
    let per_message = |before: u64, after: u64| (after - before) as f64 / messages;
    let expected = if load.keys == 0 { driven.accepted } else { 0 };
    Ok(Run {
        accepted: driven.accepted,
        missing: counts.unique.iter().map(|unique| expected.saturating_sub(*unique)).sum(),
        accepted_per_s: messages / driven.seconds,
        // Superseded updates do not count as delivered.
        delivered_per_s: requests as f64 / 3.0 / seconds,
        subject_cpu_us: per_message(subject_before, cpu_us(subject.pid())?),
        sink_cpu_us: per_message(sink_before, cpu_us(sink.pid())?),
        driver_cpu_us: driven.cpu_us as f64 / messages,
        latency: percentiles(counts.latency_us),
        accept: percentiles(driven.accept_us),
    })
}

fn percentiles(us: [u64; 3]) -> Percentiles {
    let [p50, p95, p99] = us.map(|us| us as f64 / 1000.0);
    Percentiles { p50, p95, p99 }
}

/// Waits until all has arrived (distinct), or nothing more comes (hot keys).
fn drain(sink: &Part, driven: &Driven, keys: u64) -> Result<(Counts, u64)> {
    let until = wall_us() + DRAIN.as_micros() as u64;
    let mut last = (sink.counts()?, wall_us());
    loop {
        let counts = sink.counts()?;
        let now = wall_us();
        let whole = keys == 0 && counts.unique.iter().all(|unique| *unique >= driven.accepted);
        if whole {
            return Ok((counts, now));
        }
        if counts.requests != last.0.requests {
            last = (counts, now);
        }
        let quiet = now - last.1 > if keys == 0 { 20_000_000 } else { 1_500_000 };
        if quiet || now > until {
            return Ok(last);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// CPU of a process so far, user and system, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit(')').next().context("no end of name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> Result<u64> { Ok(fields.get(at).context("a short line")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) * TICK_US)
}

/// The wall clock, in microseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures time; the product's clock is not its business"
)]
pub(crate) fn wall_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A plain GET.
pub(crate) fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no body")?;
    ensure!(head.contains(" 200 "), "{path}: {}", head.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}

/// Builds the product in release mode; gives the binary.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "-p", "concord"])
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "the release build failed");
    Ok(root.join("target/release/concord"))
}
