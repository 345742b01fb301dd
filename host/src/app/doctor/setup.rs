//! What the config says, and what of it can be used where it is refused.

use std::path::{Path, PathBuf};

use crate::cli::doctor::{Finding, Kind};
use crate::config::{Config, IS_EMAIL, Livechat, Problems, WHITE_SPACE};
use crate::egress::Reach;

/// What is known of the config: all, or the parts of a refused one that are right by themselves.
pub(super) struct Known {
    pub(super) findings: Vec<Finding>,
    pub(super) config: Option<Config>,
    pub(super) data_dir: Option<PathBuf>,
    /// Where the LiveChat API is, and which addresses it may lead to.
    pub(super) address: Option<(String, Reach)>,
    pub(super) livechat: Option<Livechat>,
}

pub(super) fn read(path: &Path) -> Known {
    match Config::load(path) {
        Ok(config) => Known {
            findings: of_config(path, &config),
            data_dir: Some(config.data_dir.clone()),
            address: Some((config.livechat.base_url.clone(), config.livechat.reach)),
            livechat: Some(config.livechat.clone()),
            config: Some(config),
        },
        Err(problems) => Known {
            findings: of_problems(path, &problems),
            config: None,
            data_dir: Config::data_dir_of(path).ok(),
            address: Config::livechat_address_of(path).ok(),
            livechat: Config::livechat_of(path).ok(),
        },
    }
}

fn tried(path: &Path) -> String {
    format!("the config {} and the secrets that it refers to", path.display())
}

/// A warning of the config that has a finding of its own.
const NO_SECRETS: &str = "`livechat.webhooks.secrets`";

fn of_config(path: &Path, config: &Config) -> Vec<Finding> {
    let tried = tried(path);
    let mut findings = vec![Finding::ok("config", tried.clone(), "they can be read")];
    for warning in config.warnings().into_iter().filter(|warning| !warning.starts_with(NO_SECRETS)) {
        findings.push(Finding::ok("config", tried.clone(), warning).but(
            Kind::ConfigWarning,
            "the host runs, and something that the config asks for will fail",
            "write what is missing; `chatplug config default` shows all keys",
        ));
    }
    if config.livechat.webhook_secrets.is_empty() {
        let finding = Finding::ok("webhook secrets", "livechat.webhooks.secrets", "there is none");
        findings.push(finding.but(
            Kind::NoWebhookSecret,
            "every webhook is refused: nothing tells LiveChat's from anybody else's",
            "write `secrets = [{ env = \"LIVECHAT_WEBHOOK_SECRET\" }]` under [livechat.webhooks]",
        ));
    }
    findings
}

/// Each thing that is wrong with a config.
fn of_problems(path: &Path, problems: &Problems) -> Vec<Finding> {
    let finding = |problem: &crate::config::Problem| {
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}: "),
            _ => String::new(),
        };
        let finding = Finding::ok("config", tried(path), format!("{place}{}", problem.text));
        if problem.text.contains(WHITE_SPACE) {
            finding.but(
                Kind::WhiteSpace,
                "the white space would be a part of the credential, and with it nobody takes it: often it is the line \
                 break behind a value that was pasted. The host does not start with this config",
                "store the bare value: without spaces, line breaks or quotes around it",
            )
        } else if problem.text.contains(IS_EMAIL) {
            finding.but(
                Kind::AccountIdEmail,
                "a personal access token goes with the account's id; only the older API (livechat.api = \"v2\") goes by \
                 e-mail address. The host does not start with this config",
                "copy the account id, a UUID, that the Developer Console shows beside the token",
            )
        } else {
            finding.but(
                Kind::ConfigRefused,
                "the host does not start with this config; one that runs goes on with the config before it",
                "put it right; `chatplug config default` shows all keys, and `chatplug check` looks again",
            )
        }
    };
    problems.problems.iter().map(finding).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What is found of a config's text.
    fn found(text: &str) -> Vec<Finding> {
        let path = Path::new("chatplug.toml");
        let env = |name: &str| (name == "SPACED").then(|| "s3 cret".to_owned());
        match Config::parse(text, path, &env) {
            Ok(config) => of_config(path, &config),
            Err(problems) => of_problems(path, &problems),
        }
    }

    pub(in crate::app::doctor) fn provoked() -> Vec<Finding> {
        let findings = [
            "[livechat]\ntokn = 1\n",
            "[livechat]\naccount_id = \"5c4f\"\ntoken = { env = \"SPACED\" }\n",
            "[livechat]\naccount_id = \"5c 4f\"\n",
            "[livechat]\naccount_id = \"ana@example.com\"\ntoken = { env = \"SPACED\" }\n",
            "[plugin.notes]\nevents = [\"incoming_chat\"]\ngrants = [\"chats.tag\"]\n",
        ];
        findings.into_iter().flat_map(found).filter(|finding| finding.kind.is_some()).collect()
    }

    #[test]
    fn what_a_refused_config_says_for_itself_is_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chatplug.toml");
        let check = |text: &str, expected: [bool; 4]| {
            std::fs::write(&path, text).expect("it can be written");
            let known = read(&path);
            let came = [
                known.config.is_some(),
                known.data_dir.is_some(),
                known.address.is_some(),
                known.livechat.is_some(),
            ];
            assert_eq!(came, expected, "{text}");
        };
        check("", [true; 4]);
        check("[plugin.a]\nevnts = []\n", [false, true, true, true]);
        check(
            "[livechat]\nbase_url = \"https://gate.example\"\nacount_id = \"a\"\n",
            [false, true, true, false],
        );
        check("[livechat]\nbase_url = \"nowhere\"\n", [false, true, false, false]);
        check("[data]\ndir = 1\n", [false, false, true, true]);
        check("[livechat", [false; 4]);
        std::fs::remove_file(&path).expect("it is there");
        let known = read(&path);
        assert!(known.data_dir.is_none() && known.findings[0].came.contains("can't read the config"));
    }
}
