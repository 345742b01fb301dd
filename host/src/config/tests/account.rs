use super::*;

#[test]
fn the_account_is_checked() {
    check(
        "[livechat]\napi = \"v3.6\"\naccount_id = { env = \"EMAIL\" }\ntimezone = \"Europe/Warszawa\"\n",
        &[
            "3:14: `livechat.account_id` is set, but `livechat.token` is not: add token = { env = \"LIVECHAT_PAT\" }",
            "3:14: `livechat.account_id` is an e-mail address: use the account id, the UUID that the Developer Console \
             shows beside the personal access token",
            "4:12: `livechat.timezone` is no time zone that this machine knows: write an IANA name such as \
             \"Europe/Warsaw\"",
        ],
    );
    check(
        "[livechat]\napi = \"v3.5\"\n",
        &[
            "2:7: `livechat.api` must be \"v3.6\", or \"v2\" for an account that has only an e-mail address and an API key",
        ],
    );
    check(
        "[livechat]\napi = \"v2\"\nlogin = \"ann@example.com\"\ntoken = { env = \"A\" }\n",
        &[
            "3:9: `livechat.login` is set, but `livechat.api_key` is not: add api_key = { env = \"LIVECHAT_API_KEY\" }",
            "4:9: `livechat.token` belongs to livechat.api = \"v3.6\": remove it, here it is login and api_key",
        ],
    );
    check(
        "[livechat]\napi_key = { env = \"A\" }\n",
        &[
            "2:11: `livechat.api_key` belongs to livechat.api = \"v2\": remove it, here it is account_id and token",
        ],
    );
    check(
        "[livechat]\ntoken = { env = \"A\" }\nbot = { id = \"b\" }\n",
        &[
            "1:1: [livechat] has more than one of token, oauth and bot: keep one",
            "3:7: [livechat.bot] needs id = \"…\" and secret = { env = \"…\" }",
        ],
    );
    check(
        "[livechat]\nbot = { id = \"b\", secret = { env = \"A\" } }\n",
        &[
            "2:7: `livechat.bot` needs `client_id` and `organization` beside it: LiveChat issues a bot's tokens for both",
        ],
    );
    check(
        "[livechat]\noauth = { client_secret = { env = \"A\" }, refresh_token = { env = \"B\" } }\n",
        &["2:9: `livechat.oauth` needs `client_id` beside it, that of the app whose tokens these are"],
    );
    let bot = "[livechat]\nclient_id = \"c\"\norganization = \"o\"\nbot = { id = \"b\", secret = { env = \"S\" } }\n";
    let livechat = parse(bot).unwrap().livechat;
    assert_eq!(livechat.agent_id.as_deref(), Some("b"), "who acts");
    assert!(livechat.has_identity());
    let older = "[livechat]\napi = \"v2\"\nlogin = \"ann@example.com\"\napi_key = { env = \"KEY\" }\n";
    let livechat = parse(older).unwrap().livechat;
    assert_eq!((livechat.api, livechat.login.as_deref()), (Api::V2, Some("ann@example.com")));
    assert_eq!(livechat.api_key.unwrap().expose_secret(), "value-of-KEY");
    let config = parse("[livechat]\naccount_id = \"0f7c\"\ntoken = { env = \"LIVECHAT_PAT\" }\n").unwrap();
    assert_eq!(config.livechat.account_id.as_deref(), Some("0f7c"));
}

#[test]
fn a_data_centre_is_one_of_two() {
    let of = |line: &str| format!("[livechat]\ntoken = {{ env = \"A\" }}\n{line}\n");
    for name in ["dal", "fra"] {
        let config = parse(&of(&format!("region = \"{name}\""))).unwrap();
        assert_eq!(config.livechat.region.as_deref(), Some(name));
        let before = parse(&of("")).unwrap();
        assert_eq!(before.livechat.region, None);
        assert_eq!(before.differences(&config), ["`livechat.region` changed"]);
    }
    for wrong in ["FRA", "", "eu"] {
        check(
            &of(&format!("region = \"{wrong}\"")),
            &["3:10: `livechat.region` must be \"dal\" or \"fra\", the data centre that holds the account"],
        );
    }
    check(
        "[livechat]\napi = \"v2\"\nregion = \"fra\"\n",
        &[
            "3:10: `livechat.region` belongs to livechat.api = \"v3.6\": remove it, the older API knows no data centres",
        ],
    );
}
