//! From a file to a version: read, inspect, compile, describe.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::limits::Loading;
use crate::runtime::compile::Compiler;
use crate::runtime::{LoadError, Runtime, Version, inspect};

/// What came of a file.
#[derive(Clone)]
pub(super) enum Candidate {
    /// Being inspected and compiled.
    Compiling,
    /// A version that could run.
    Loaded(Arc<Version>),
    /// Not a plugin for this host, and why; with the content hash if the file could be read.
    Rejected { hash: Option<String>, reason: String },
}

/// Turns files into versions.
#[derive(Clone)]
pub struct Loader {
    /// Links and describes them.
    pub runtime: Runtime,
    /// Compiles them.
    pub compiler: Compiler,
}

impl Loader {
    /// What a file is. Of versions that run there is only one each, however often their files are looked at.
    pub(super) async fn load(&self, path: &Path, running: &[Arc<Version>], limits: &Loading) -> Candidate {
        let bytes = match read(path, limits).await {
            Ok(bytes) => bytes,
            Err(reason) => return Candidate::Rejected { hash: None, reason },
        };
        let hash = content_hash(&bytes);
        if let Some(version) = running.iter().find(|version| version.hash == hash) {
            return Candidate::Loaded(version.clone());
        }
        tracing::debug!(file = %path.display(), version = hash, "loading a component");
        match self.version(&hash, bytes, limits).await {
            Ok(version) => Candidate::Loaded(Arc::new(version)),
            Err(reason) => Candidate::Rejected { hash: Some(hash), reason },
        }
    }

    /// A version that was loaded in an earlier run of the host.
    ///
    /// # Errors
    /// If its component is gone or no longer loads.
    pub async fn kept(&self, hash: &str, limits: &Loading) -> Result<Arc<Version>, String> {
        let kept = self.compiler.kept(hash).await;
        let bytes = kept.map_err(|error| format!("{hash} is not kept any more: {error}"))?;
        if content_hash(&bytes) != hash {
            return Err(format!("the kept component of {hash} was changed"));
        }
        self.version(hash, bytes, limits).await.map(Arc::new)
    }

    /// Whether a file holds what was compiled before: then it is whole, however young it is.
    pub(super) async fn is_known(&self, path: &Path, limits: &Loading) -> bool {
        hash_of(path, limits).await.is_some_and(|hash| self.compiler.has(&hash))
    }

    async fn version(&self, hash: &str, bytes: Vec<u8>, limits: &Loading) -> Result<Version, String> {
        let bytes = Arc::new(bytes);
        let inspected = {
            let (bytes, limits) = (bytes.clone(), *limits);
            tokio::task::spawn_blocking(move || inspect::inspect(&bytes, &limits))
                .await
                .unwrap_or_else(|_| Err("it could not be inspected: please report it".to_owned()))?
        };
        let compiled = self.compiler.compile(hash, &bytes, limits).await?;
        match self.runtime.load(compiled, &inspected).await {
            Ok(version) => Ok(version),
            Err(LoadError::Plugin(reason)) => Err(reason),
            Err(LoadError::Compiled(reason)) => {
                tracing::warn!(version = hash, reason, "compiling a component again");
                self.compiler.discard(hash);
                let compiled = self.compiler.compile(hash, &bytes, limits).await?;
                self.runtime.load(compiled, &inspected).await.map_err(|error| error.to_string())
            }
        }
    }
}

async fn read(path: &Path, limits: &Loading) -> Result<Vec<u8>, String> {
    let (path, limits) = (path.to_owned(), *limits);
    let read = tokio::task::spawn_blocking(move || read_whole(&path, &limits)).await;
    read.unwrap_or_else(|error| Err(format!("it cannot be read: {error}")))
}

/// Reads a regular file that is not too large, whatever becomes of its name or its length meanwhile.
fn read_whole(path: &Path, limits: &Loading) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("it cannot be read: {error}");
    // A pipe would else be waited for until somebody writes.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = opened.map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    inspect::check_size(metadata.len(), limits)?;
    let mut bytes = Vec::new();
    file.take(limits.component_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    inspect::check_size(bytes.len() as u64, limits)?;
    Ok(bytes)
}

/// The content hash of a file; `None` if it can't be read, or is too large to be a component.
async fn hash_of(path: &Path, limits: &Loading) -> Option<String> {
    read(path, limits).await.ok().map(|bytes| content_hash(&bytes))
}

fn content_hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
