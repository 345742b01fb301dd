//! Compiling a component, in a child process of the same executable: a compile can't be cancelled inside a
//! process, and a small component can take a minute and gigabytes.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::engine;
use super::nice::be_nice;
use crate::limits::Loading;

mod contents;

use contents::{Contents, NoCode};

/// Compiled code beyond this is not taken from the child.
const CODE_BYTES_MAX: u64 = 512 << 20;
/// A compile may wait for the processor so many times longer than it may use it. Of one that is never idle it gets a
/// quarter.
const WALL_TIMES_CPU: u32 = 20;
/// By how much the child is nicer than the host: operators wait for it, and events go first.
const NICE: i32 = 5;
/// Of what the child says, as much is looked at.
const SAID_BYTES_MAX: u64 = 8 << 10;

/// Code that this program's own compiler has made: just now, or earlier, and then its MAC was right.
#[derive(Debug)]
pub struct Compiled {
    /// The content hash of the component.
    pub hash: String,
    pub(super) code: Vec<u8>,
}

/// Compiles components and keeps them and the results.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// This executable.
    program: PathBuf,
    /// The host's own folder of components and compiled code.
    contents: Contents,
}

impl Compiler {
    /// A compiler that runs `program` (this executable) and keeps its results in `data_dir`.
    ///
    /// # Errors
    /// A sentence about the folder or the engine.
    pub fn new(program: PathBuf, data_dir: &Path) -> Result<Compiler, String> {
        let dir = data_dir.join("components");
        let contents = Contents::open(&dir, fingerprint()?)
            .map_err(|error| format!("cannot make or read the folder {}: {error}", dir.display()))?;
        Ok(Compiler { program, contents })
    }

    /// The kept bytes of a component that was loaded once.
    ///
    /// # Errors
    /// If they are gone.
    pub async fn kept(&self, hash: &str) -> io::Result<Vec<u8>> {
        let hash = hash.to_owned();
        self.blocking(move |contents| contents.kept(&hash)).await
    }

    /// Whether a component was compiled before: then its content is known.
    pub fn has(&self, hash: &str) -> bool {
        self.contents.has_code(hash)
    }

    /// The compiled form of a component: kept from an earlier time, or compiled now. Its bytes are on disk then,
    /// too.
    ///
    /// # Errors
    /// A sentence for the plugin's author.
    pub async fn compile(&self, hash: &str, bytes: &[u8], limits: &Loading) -> Result<Compiled, String> {
        let found = {
            let (hash, bytes) = (hash.to_owned(), bytes.to_vec());
            self.blocking(move |contents| contents.keep(&hash, &bytes).map(|()| contents.code(&hash))).await
        };
        let code = match found
            .map_err(|error| format!("its bytes can't be kept in the data folder: {error}"))?
        {
            Ok(code) => return Ok(Compiled { hash: hash.to_owned(), code }),
            Err(NoCode::Absent) => self.run_child(bytes, limits).await?,
            Err(NoCode::Foreign(reason)) => {
                tracing::warn!(version = hash, reason, "compiled code is not to be trusted; compiling again");
                self.run_child(bytes, limits).await?
            }
        };
        let (name, code) = (hash.to_owned(), code);
        let (code, kept) = self
            .blocking(move |contents| {
                let kept = contents.keep_code(&name, &code);
                Ok((code, kept))
            })
            .await
            .map_err(|error| error.to_string())?;
        if let Err(error) = kept {
            tracing::warn!(version = hash, %error, "cannot keep compiled code; it will be compiled again");
        }
        Ok(Compiled { hash: hash.to_owned(), code })
    }

    /// Forgets a compiled form that could not be loaded; the next compile makes it anew.
    pub fn discard(&self, hash: &str) {
        self.contents.discard_code(hash);
    }

    /// Removes what belongs to no component of `hashes` from the data folder.
    pub async fn retain(&self, hashes: BTreeSet<String>) {
        match self.blocking(move |contents| contents.retain(&hashes)).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "removed components and code that nobody needs any more"),
            Err(error) => tracing::warn!(%error, "cannot look through the kept components"),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Contents) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let contents = self.contents.clone();
        tokio::task::spawn_blocking(move || work(&contents)).await.unwrap_or_else(|error| Err(error.into()))
    }

    async fn run_child(&self, bytes: &[u8], limits: &Loading) -> Result<Vec<u8>, String> {
        // By the clock on the wall a good plugin would be rejected where the machine has much else to do.
        let patience = Duration::from_secs(limits.compile_s) * WALL_TIMES_CPU;
        let too_long = |_| {
            format!(
                "compiling it did not end within {patience:?}, {WALL_TIMES_CPU} times its CPU time \
                 (plugins.compile_s): is this machine overloaded?"
            )
        };
        let ran = tokio::time::timeout(patience, self.child(bytes, limits)).await.map_err(too_long)?;
        let (status, code, said) = ran.map_err(|error| format!("cannot run the compiler: {error}"))?;
        if status.success() && code.len() as u64 <= CODE_BYTES_MAX {
            return Ok(code);
        }
        Err(verdict(status, &said, limits))
    }

    /// Runs the child to its end; it is killed if this is dropped. Answers how it ended, the code, and what it said.
    async fn child(&self, bytes: &[u8], limits: &Loading) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
        let mut child = Command::new(&self.program)
            .arg("compile")
            .args(["--memory-bytes", &limits.compile_memory_bytes.to_string()])
            .args(["--cpu-seconds", &limits.compile_s.to_string()])
            .env_clear()
            // On machines with many cores, threads and their heaps would use the limit up before any code.
            .env("RAYON_NUM_THREADS", "2")
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let piped = || io::Error::other("the compiler has no pipes");
        let mut stdin = child.stdin.take().ok_or_else(piped)?;
        let mut stdout = child.stdout.take().ok_or_else(piped)?.take(CODE_BYTES_MAX + 1);
        let mut stderr = child.stderr.take().ok_or_else(piped)?.take(SAID_BYTES_MAX);
        let (mut code, mut said) = (Vec::new(), Vec::new());
        let feed = async {
            // If it doesn't take all, its end says why.
            let _ = stdin.write_all(bytes).await;
            drop(stdin);
        };
        let ((), read, heard) =
            tokio::join!(feed, stdout.read_to_end(&mut code), stderr.read_to_end(&mut said));
        read.and(heard)?;
        // What it still wants to say nobody reads: it must not wait for that.
        drop((stdout, stderr));
        Ok((child.wait().await?, code, said))
    }
}

/// What a compiling child means that has failed.
fn verdict(status: ExitStatus, said: &[u8], limits: &Loading) -> String {
    if status.success() {
        return format!("its compiled code has more than {CODE_BYTES_MAX} bytes");
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return format!(
            "compiling it took more than {} s of CPU time (plugins.compile_s): is there one very large function?",
            limits.compile_s
        );
    }
    let said = String::from_utf8_lossy(said);
    let said = said.trim();
    let too_little = format!(
        "it needs more than {} bytes of memory (plugins.compile_memory_bytes); is there one very large function?",
        limits.compile_memory_bytes
    );
    // What Rust's allocator says before it aborts.
    if said.contains("memory allocation of") {
        return format!("compiling it failed ({status}): {too_little}");
    }
    // A library in C may end so; but so does what somebody else has killed.
    if said.is_empty() {
        return format!("compiling it ended without a word ({status}); the usual cause: {too_little}");
    }
    format!("compiling it failed: {}", said.chars().take(500).collect::<String>())
}

/// What `chatplug compile` does: reads a component from `source` and writes its compiled form to `target`, with this
/// much address space, bytes, and CPU time, seconds.
///
/// # Errors
/// A sentence for the plugin's author.
pub fn in_child(
    source: &mut dyn Read,
    target: &mut dyn Write,
    memory_bytes: u64,
    cpu_seconds: u64,
) -> Result<(), String> {
    let memory = within(getrlimit(Resource::As), memory_bytes, memory_bytes);
    setrlimit(Resource::As, memory).map_err(|error| format!("cannot limit the memory: {error}"))?;
    // At the first a signal says that it was this limit; the second kills in any case.
    let cpu = within(getrlimit(Resource::Cpu), cpu_seconds, cpu_seconds + 5);
    setrlimit(Resource::Cpu, cpu).map_err(|error| format!("cannot limit CPU: {error}"))?;
    // Events go first. The threads that the compiler starts are as nice as this one.
    be_nice(NICE);
    let engine = engine::for_compiling().map_err(|error| format!("{error:#}"))?;
    let mut bytes = Vec::new();
    let read = source.take(memory_bytes).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot read the component: {error}"))?;
    let code = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
    target.write_all(&code).map_err(|error| format!("cannot write the code: {error}"))
}

/// A limit, as far as the one that the host itself is under allows it.
fn within(outer: Rlimit, soft: u64, hard: u64) -> Rlimit {
    let least = |wanted: u64| outer.maximum.map_or(wanted, |outer| wanted.min(outer));
    Rlimit { current: Some(least(soft)), maximum: Some(least(hard)) }
}

/// Text that is the same for engines that can load each other's code: of the same version, with the same settings.
fn fingerprint() -> Result<String, String> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let engine = engine::for_compiling().map_err(|error| format!("cannot make the engine: {error:#}"))?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_stays_within_that_of_the_host() {
        let outer = |maximum| Rlimit { current: None, maximum };
        let of = |limit: Rlimit| (limit.current, limit.maximum);
        assert_eq!(of(within(outer(None), 30, 35)), (Some(30), Some(35)));
        assert_eq!(of(within(outer(Some(33)), 30, 35)), (Some(30), Some(33)));
        assert_eq!(of(within(outer(Some(10)), 30, 35)), (Some(10), Some(10)));
    }

    #[test]
    fn a_child_that_fails_is_told_with_how_it_ended_and_the_setting() {
        let limits = Loading::default();
        let told = |status, said: &str| verdict(ExitStatus::from_raw(status), said.as_bytes(), &limits);
        let memory = "it needs more than 1073741824 bytes of memory (plugins.compile_memory_bytes)";
        let killed = told(Signal::KILL.as_raw(), "");
        assert!(killed.contains("without a word (signal: 9") && killed.contains("usual cause"), "{killed}");
        assert!(killed.contains(memory), "{killed}");
        let ended = told(3 << 8, "");
        assert!(ended.contains("without a word (exit status: 3)"), "{ended}");
        let aborted = told(Signal::ABORT.as_raw(), "memory allocation of 64 bytes failed\n");
        assert!(aborted.starts_with("compiling it failed (signal: 6"), "{aborted}");
        assert!(aborted.contains(memory) && !aborted.contains("usual cause"), "{aborted}");
        assert!(told(Signal::XCPU.as_raw(), "").contains("(plugins.compile_s)"));
        assert_eq!(told(1 << 8, "it is wrong\n"), "compiling it failed: it is wrong");
    }
}
