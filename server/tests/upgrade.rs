//! Data directories of earlier versions open with this one. `fixtures/data-VERSION` holds what that version left behind
//! when it had created one key and had ended in peace.

use crate::{
    binary::command,
    support::{PASSWORD, process::Process},
};
use app::model::key_list::KeyListPage;
use flate2::read::GzDecoder;
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn unpack(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap();
        let mut file = fs::File::create(to.join(name)).unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .unwrap();
        io::copy(
            &mut GzDecoder::new(fs::File::open(&path).unwrap()),
            &mut file,
        )
        .unwrap();
    }
}

#[tokio::test]
async fn data_of_every_earlier_version_open_with_their_users_keys_and_audit_log() {
    let mut versions = 0;
    for entry in fs::read_dir(FIXTURES).unwrap() {
        let fixture = entry.unwrap().path();
        let name = fixture.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(version) = name.strip_prefix("data-") else {
            continue;
        };
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        unpack(&fixture, &data_dir);
        let process = Process::with_engine(&data_dir);
        let mut wrong = process.nobody();
        assert_eq!(wrong.sign_in("elastic", "wrong password").await.status, 401);
        let admin = process.as_user("elastic").await;
        let page: KeyListPage = admin.list(|query| query.rows = 100).await.value();
        let expected = format!("kept since {version}");
        let found = page.keys.iter().any(|key| key.name.as_str() == expected);
        assert!(found, "{version}: {} keys", page.keys.len());
        let created = admin.create("created after the upgrade").await;
        assert_eq!(created.status, 200, "{version}");
        drop(process);
        let verify = command(&data_dir)
            .args(["audit", "verify"])
            .env("ELASTIC_PASSWORD", PASSWORD)
            .output()
            .unwrap();
        assert!(verify.status.success(), "{version}: {verify:?}");
        versions += 1;
    }
    assert!(versions > 0);
}
