//! Rows as the database has them. Plain column types, so that every supported database can hold them.

#![allow(unreachable_pub)] // sea-orm's derives want their items public

/// A row per mail, whatever has become of it.
pub(super) mod mail {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "mails")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub mail_id: String,
        /// Empty where the message could not be read.
        pub kind: String,
        pub state: String,
        pub trip_id: String,
        pub user_id: String,
        pub recipient: String,
        pub subject: String,
        pub attempts: i32,
        /// Claims that ran out before their outcome was known.
        pub unclear: i32,
        pub last_error: String,
        pub created: i64,
        pub updated: i64,
        pub sent: Option<i64>,
        pub trace_id: Option<String>,
        /// Whose the claim is; empty where there is none.
        pub claim_owner: String,
        /// When it runs out; 0 where there is none.
        pub claim_until: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
