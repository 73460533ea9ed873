//! The table's contract: names that others rely on.

use patchbay::{domain::connection::Status, server::db::connection};

use crate::fixture::{connector_id, person, run, texts};

const COLUMNS: [&str; 13] = [
    "id",
    "user_id",
    "connector_id",
    "nango_connection_id",
    "status",
    "connected_at",
    "disconnected_at",
    "last_synced_at",
    "config",
    "last_error",
    "error_count",
    "created_at",
    "updated_at",
];

on_both! {
    async fn the_thirteen_columns_are_there(db: &TestDb) {
        let mut tx = db.db.read().await.unwrap();
        let found = texts(
            &mut tx,
            "SELECT name FROM pragma_table_info('user_connector_connection')",
            "SELECT column_name::text FROM information_schema.columns \
             WHERE table_name = 'user_connector_connection' ORDER BY ordinal_position",
        )
        .await;
        for column in COLUMNS {
            assert!(found.iter().any(|f| f == column), "{column} is not in {found:?}");
        }
    }

    async fn the_five_indexes_are_there(db: &TestDb) {
        let mut tx = db.db.read().await.unwrap();
        let mut found = texts(
            &mut tx,
            "SELECT i.name || (CASE i.\"unique\" WHEN 1 THEN ' unique' ELSE '' END) || ' ('
                || (SELECT group_concat(name, ', ') FROM
                    (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')'
             FROM pragma_index_list('user_connector_connection') i WHERE i.origin = 'c'",
            "SELECT i.relname || (CASE WHEN x.indisunique THEN ' unique' ELSE '' END) || ' ('
                || (SELECT string_agg(a.attname, ', ' ORDER BY k.n)
                    FROM unnest(x.indkey::int[]) WITH ORDINALITY AS k (attnum, n)
                    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum) || ')'
             FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
             WHERE x.indrelid = 'user_connector_connection'::regclass AND NOT x.indisprimary",
        )
        .await;
        found.sort();
        assert_eq!(
            found,
            [
                "user_connector_connection_connector_id (connector_id)",
                "user_connector_connection_nango_connection_id unique (nango_connection_id)",
                "user_connector_connection_status (status)",
                "user_connector_connection_user_id (user_id)",
                "user_connector_connection_user_id_connector_id (user_id, connector_id)",
            ]
        );
    }

    async fn a_new_row_is_pending_with_no_settings_and_no_errors(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        let gmail = connector_id("gmail");
        let columns = "INSERT INTO user_connector_connection \
            (id, user_id, connector_id, created_at, updated_at) VALUES";
        run(
            &mut tx,
            &format!(
                "{columns} (randomblob(16), x'{}', x'{}', '2026-11-22T13:34:50+00:00', \
                 '2026-11-22T13:34:50+00:00')",
                user.simple(),
                gmail.simple()
            ),
            &format!("{columns} (gen_random_uuid(), '{user}', '{gmail}', now(), now())"),
        )
        .await
        .unwrap();
        let found = connection::of_user(&mut tx, user).await.unwrap();
        let row = &found.first().expect("the row").row;
        assert_eq!(row.status, Status::Pending);
        assert_eq!((row.config.len(), row.error_count, row.version), (0, 0, 1));
    }
}
