//! Compiling a component, in a child process of the same executable: a compile can't be cancelled inside a
//! process, and a small component can take a minute and gigabytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::process::Command;

use super::engine;
use crate::limits::Loading;

/// Compiled code that this program's compiler has written into the host's own folder.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The content hash of the component.
    pub hash: String,
    pub(super) path: PathBuf,
}

/// Compiles components and keeps the results.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// This executable.
    program: PathBuf,
    /// The host's own folder of components and compiled code.
    dir: PathBuf,
    /// Distinguishes the engine's version and settings: code of another engine is not looked at.
    engine: String,
}

impl Compiler {
    /// A compiler that runs `program` (this executable) and keeps its results in `data_dir`.
    ///
    /// # Errors
    /// A sentence about the folder or the engine.
    pub fn new(program: PathBuf, data_dir: &Path) -> Result<Compiler, String> {
        let dir = data_dir.join("components");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| format!("cannot make the folder {}: {error}", dir.display()))?;
        Ok(Compiler { program, dir, engine: fingerprint()? })
    }

    /// The kept bytes of a component that was active once.
    ///
    /// # Errors
    /// If they are gone.
    pub fn kept(&self, hash: &str) -> std::io::Result<Vec<u8>> {
        fs::read(self.component_path(hash))
    }

    /// The compiled form of a component: kept from an earlier time, or compiled now.
    ///
    /// # Errors
    /// A sentence for the plugin's author.
    pub async fn compile(&self, hash: &str, bytes: &[u8], limits: &Loading) -> Result<Compiled, String> {
        let path = self.dir.join(format!("{}.{}.cwasm", file_stem(hash), self.engine));
        let compiled = Compiled { hash: hash.to_owned(), path };
        if compiled.path.exists() {
            return Ok(compiled);
        }
        let source = self.keep(hash, bytes)?;
        self.run_child(&source, &compiled.path, limits).await?;
        Ok(compiled)
    }

    /// Forgets a compiled form that could not be loaded; the next compile makes it anew.
    pub fn discard(&self, compiled: &Compiled) {
        // If it can't be removed it will be refused again, with the reason.
        let _ = fs::remove_file(&compiled.path);
    }

    /// Keeps a component's bytes under its hash.
    fn keep(&self, hash: &str, bytes: &[u8]) -> Result<PathBuf, String> {
        let path = self.component_path(hash);
        // What is there may have been cut short by a power cut of an earlier time.
        if fs::read(&path).ok().as_deref() != Some(bytes) {
            write_whole(&path, bytes)
                .map_err(|error| format!("cannot keep it in {}: {error}", self.dir.display()))?;
        }
        Ok(path)
    }

    fn component_path(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{}.wasm", file_stem(hash)))
    }

    async fn run_child(&self, source: &Path, target: &Path, limits: &Loading) -> Result<(), String> {
        let child = Command::new(&self.program)
            .arg("compile")
            .args([source, target])
            .args(["--memory-bytes", &limits.compile_memory_bytes.to_string()])
            .args(["--cpu-seconds", &(2 * limits.compile_s).to_string()])
            .env_clear()
            // On machines with many cores, threads and their heaps would use the limit up before any code.
            .env("RAYON_NUM_THREADS", "2")
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(Duration::from_secs(limits.compile_s), child).await {
            Ok(output) => {
                verdict(&output.map_err(|error| format!("cannot start the compiler: {error}"))?, limits)
            }
            Err(_) => Err(format!(
                "compiling it took more than {} s (plugins.compile_s): is there one very large function?",
                limits.compile_s
            )),
        }
    }
}

/// What the end of the compiling child means.
fn verdict(output: &Output, limits: &Loading) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    // What Rust's allocator says before it aborts; a library in C may end without a word.
    if said.is_empty() || said.contains("memory allocation of") {
        return Err(format!(
            "compiling it failed ({}): it needs more than {} bytes of memory (plugins.compile_memory_bytes); is there \
             one very large function?",
            output.status, limits.compile_memory_bytes
        ));
    }
    Err(format!("compiling it failed: {}", said.chars().take(500).collect::<String>()))
}

/// What `chatplug compile` does: reads a component and writes its compiled form, with this much address space, bytes,
/// and CPU time, seconds.
///
/// # Errors
/// A sentence for the plugin's author.
pub fn in_child(source: &Path, target: &Path, memory_bytes: u64, cpu_seconds: u64) -> Result<(), String> {
    let limit = |max| Rlimit { current: Some(max), maximum: Some(max) };
    setrlimit(Resource::As, limit(memory_bytes))
        .map_err(|error| format!("cannot limit the memory: {error}"))?;
    setrlimit(Resource::Cpu, limit(cpu_seconds)).map_err(|error| format!("cannot limit CPU: {error}"))?;
    let engine = engine::for_compiling().map_err(|error| format!("{error:#}"))?;
    let bytes = fs::read(source).map_err(|error| format!("cannot read {}: {error}", source.display()))?;
    let code = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
    write_whole(target, &code).map_err(|error| format!("cannot write {}: {error}", target.display()))
}

/// Writes a file so that its name appears only when its bytes are on disk: after a power cut, half a file
/// of machine code must not be there to be loaded. Another process may be writing the same one.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Text that is the same for engines that can load each other's code.
fn fingerprint() -> Result<String, String> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let engine = engine::for_compiling().map_err(|error| format!("cannot make the engine: {error:#}"))?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn file_stem(hash: &str) -> &str {
    hash.strip_prefix("sha256:").unwrap_or(hash)
}
