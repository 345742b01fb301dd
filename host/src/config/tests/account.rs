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
    let older = "[livechat]\napi = \"v2\"\nlogin = \"ann@example.com\"\napi_key = { env = \"KEY\" }\n";
    let livechat = parse(older).unwrap().livechat;
    assert_eq!((livechat.api, livechat.login.as_deref()), (Api::V2, Some("ann@example.com")));
    assert_eq!(livechat.api_key.unwrap().expose_secret(), "value-of-KEY");
    let config = parse("[livechat]\naccount_id = \"0f7c\"\ntoken = { env = \"LIVECHAT_PAT\" }\n").unwrap();
    assert_eq!(config.livechat.account_id.as_deref(), Some("0f7c"));
}
