//! `chatplug send FILE`

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use secrecy::ExposeSecret;
use serde_json::json;

use super::text;
use crate::capture::SIGNED;
use crate::config::Config;

mod sample;

const TIMEOUT: Duration = Duration::from_secs(20);
const FILE_BYTES_MAX: u64 = 16 << 20;
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The arguments of `send`.
#[derive(Debug, clap::Args)]
pub struct SendArgs {
    /// The webhook's body, such as one that `serve --capture` wrote; a `secret_key` or `token` in it is replaced by the
    /// configured secret
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to send it [default: /webhooks/livechat at the config's listen address]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Sign the file's bytes with X-LiveChat-Signature instead of putting the secret into the body; a file whose name ends
    /// in `.signed.json` is signed in any case
    #[arg(long)]
    pub signed: bool,
}

/// Posts a webhook's body to a running host and prints what it answers; `Ok(true)` if that is 200.
///
/// # Errors
/// The file can't be read, the config has no secret for webhooks, or nobody answers.
pub async fn run(config: &Config, args: &SendArgs, json: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    let body = read(&args.file)?;
    let Some(secret) = config.livechat.webhook_secrets.first() else {
        bail!("the config has no secret for webhooks: add `secrets` to [livechat.webhooks]");
    };
    let webhook = sample::authenticated(body, secret.expose_secret(), args.signed || came_signed(&args.file));
    let url = match &args.url {
        Some(url) => url.clone(),
        None => default_url(config.server.listen)?,
    };
    let (status, answer) = post(&url, webhook).await?;
    if json {
        text::json(out, &json!({ "status": status.as_u16(), "answer": answer }))?;
    } else {
        writeln!(out, "{status}: {}", text::escape(answer.trim_end()))?;
    }
    Ok(status == reqwest::StatusCode::OK)
}

/// Whether a file was captured of a webhook that came with a signature.
fn came_signed(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SIGNED))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("can't read the webhook's body from {}", path.display());
    let mut body = Vec::new();
    let file = File::open(path).with_context(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut body).with_context(failed)?;
    if body.len() as u64 > FILE_BYTES_MAX {
        bail!("{} has more than {FILE_BYTES_MAX} bytes: no webhook is that large", path.display());
    }
    Ok(body)
}

// An unspecified address is one to listen on, not one to connect to.
fn default_url(listen: SocketAddr) -> anyhow::Result<String> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    if listen.port() == 0 {
        bail!("`server.listen` has port 0, so the host's port is not known here: say it with --url");
    }
    Ok(format!("http://{}/webhooks/livechat", SocketAddr::new(ip, listen.port())))
}

async fn post(url: &str, webhook: sample::Webhook) -> anyhow::Result<(reqwest::StatusCode, String)> {
    // Neither a proxy nor a redirect: the body holds the secret, and is for this one address.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()
        .context("can't set up the HTTP client")?;
    let mut request = client.post(url).header("content-type", "application/json").body(webhook.body);
    if let Some(signature) = webhook.signature {
        request = request.header("X-LiveChat-Signature", signature);
    }
    let failed = || format!("no answer from {}: is `chatplug serve` running there?", text::escape(url));
    let mut response = request.send().await.map_err(reqwest::Error::without_url).with_context(failed)?;
    let mut answer = Vec::new();
    while answer.len() < ANSWER_BYTES_MAX
        && let Some(chunk) =
            response.chunk().await.map_err(reqwest::Error::without_url).with_context(failed)?
    {
        answer.extend_from_slice(&chunk);
    }
    answer.truncate(ANSWER_BYTES_MAX);
    Ok((response.status(), String::from_utf8_lossy(&answer).into_owned()))
}

#[cfg(test)]
mod tests;
