use super::super::*;

#[test]
fn the_data_folder_is_known_although_the_rest_is_wrong_and_no_secret_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chatplug.toml");
    let check = |text: &str, expected: Result<&str, &str>| {
        std::fs::write(&path, text).unwrap();
        match (Config::data_dir_of(&path), expected) {
            (Ok(found), Ok(dir)) => assert_eq!(found, folder.path().join(dir), "{text}"),
            (Err(problems), Err(part)) => assert!(problems.to_string().contains(part), "{text}: {problems}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    };
    let absent = "{ env = \"CHATPLUG_TEST_OF_WHAT_NOBODY_SETS\" }";
    let secret = format!("[livechat]\naccount_id = \"a\"\ntoken = {absent}\n");
    check(&format!("{secret}[data]\ndir = \"store\"\n"), Ok("store"));
    check("[sevrer]\nlisten = 7\n", Ok("data"));
    check("[data]\ndri = \"store\"\n", Err("did you mean `dir`?"));
    check("[data", Err("no valid TOML"));
    std::fs::write(&path, format!("{secret}[operator]\nlisten = \"127.0.0.1:7\"\nnotify = \"hook\"\n"))
        .unwrap();
    assert_eq!(Config::operator_of(&path).unwrap().listen.port(), 7);
    assert!(Config::load(&path).is_err(), "the whole of it needs the secret");
}
