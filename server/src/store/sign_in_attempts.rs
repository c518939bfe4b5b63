//! Failed sign-ins, counted for each account and each address.

use super::{Error, Store, write::Write};
use crate::session::limit;
use app::model::timestamp::Timestamp;
use sqlx::Row;

/// More subjects than this are not counted; new ones are turned away, and those that are paused stay so.
const SUBJECTS_MAX: i64 = 200_000;

/// Digests of what is counted.
#[derive(Clone, Debug)]
pub struct Subjects {
    /// Of the account's name, whether or not anybody has it; or of a browser that the account knows.
    pub account: String,
    /// Of the address, where it is known.
    pub address: Option<String>,
}

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It may.
    Allowed,
    /// Not now. So many have been turned away in a row.
    Paused {
        /// This one included.
        refusals: i64,
    },
}

struct Counted {
    failures: i64,
    refusals: i64,
    next_at: Timestamp,
}

impl Store {
    /// Whether an attempt may be made. One that may not is counted as a refusal.
    #[tracing::instrument(name = "store.sign_in.attempt", skip_all)]
    pub async fn attempt_sign_in(
        &self,
        subjects: &Subjects,
        now: Timestamp,
    ) -> Result<Attempt, Error> {
        let mut write = self.write().await?;
        let account = counted(&mut write, &subjects.account).await?;
        let address = match &subjects.address {
            Some(address) => counted(&mut write, address).await?,
            None => None,
        };
        let account_may = account.as_ref().is_none_or(|found| found.next_at <= now);
        let address_may = address
            .as_ref()
            .is_none_or(|found| limit::address_may(found.next_at, now));
        let is_new = account.is_none() || (subjects.address.is_some() && address.is_none());
        if account_may && address_may && !(is_new && is_full(&mut write).await?) {
            return Ok(Attempt::Allowed);
        }
        let subject = match (&subjects.address, address_may) {
            (Some(address), false) => address,
            _ => &subjects.account,
        };
        let refusals = refuse(&mut write, subject).await?;
        write.commit().await?;
        Ok(Attempt::Paused { refusals })
    }

    /// Counts a failure.
    #[tracing::instrument(name = "store.sign_in.fail", skip_all)]
    pub async fn count_failed_sign_in(
        &self,
        subjects: &Subjects,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        let account = counted(&mut write, &subjects.account).await?;
        let failures = account.map_or(0, |found| found.failures) + 1;
        let next_at = limit::next_for_account(failures, now);
        count(&mut write, &subjects.account, failures, now, next_at).await?;
        if let Some(subject) = &subjects.address {
            let address = counted(&mut write, subject).await?;
            let used = address.as_ref().map_or(now, |found| found.next_at);
            let failures = address.map_or(0, |found| found.failures) + 1;
            let next_at = limit::used_by_address(used, now);
            count(&mut write, subject, failures, now, next_at).await?;
        }
        write.commit().await
    }

    /// After a success the account begins anew; the address does not, or one good account would pay for a thousand
    /// guesses at others.
    #[tracing::instrument(name = "store.sign_in.succeed", skip_all)]
    pub async fn forgive_account(&self, subjects: &Subjects) -> Result<(), Error> {
        sqlx::query("DELETE FROM sign_in_attempts WHERE subject = $1")
            .bind(subjects.account.as_str())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Forgets what nobody has tried since `before`. How many.
    #[tracing::instrument(name = "store.sign_in.forget", skip_all)]
    pub async fn forget_sign_in_attempts(&self, before: Timestamp) -> Result<u64, Error> {
        let forgotten =
            sqlx::query("DELETE FROM sign_in_attempts WHERE tried_at < $1 AND next_at < $2")
                .bind(before.0)
                .bind(before.0)
                .execute(&self.writer)
                .await?;
        Ok(forgotten.rows_affected())
    }
}

async fn counted(write: &mut Write, subject: &str) -> Result<Option<Counted>, Error> {
    let row =
        sqlx::query("SELECT failures, refusals, next_at FROM sign_in_attempts WHERE subject = $1")
            .bind(subject)
            .fetch_optional(&mut **write)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Counted {
        failures: row.try_get("failures")?,
        refusals: row.try_get("refusals")?,
        next_at: Timestamp(row.try_get("next_at")?),
    }))
}

async fn count(
    write: &mut Write,
    subject: &str,
    failures: i64,
    now: Timestamp,
    next_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sign_in_attempts (subject, failures, refusals, tried_at, next_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (subject) DO UPDATE SET \
         failures = excluded.failures, refusals = excluded.refusals, \
         tried_at = excluded.tried_at, next_at = excluded.next_at",
    )
    .bind(subject)
    .bind(failures)
    .bind(0_i64)
    .bind(now.0)
    .bind(next_at.0)
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// Counts an attempt that is turned away. How many in a row.
async fn refuse(write: &mut Write, subject: &str) -> Result<i64, Error> {
    sqlx::query("UPDATE sign_in_attempts SET refusals = refusals + 1 WHERE subject = $1")
        .bind(subject)
        .execute(&mut **write)
        .await?;
    let refusals = counted(write, subject).await?;
    Ok(refusals.map_or(1, |found| found.refusals))
}

async fn is_full(write: &mut Write) -> Result<bool, Error> {
    let row = sqlx::query("SELECT COUNT(*) FROM sign_in_attempts")
        .fetch_one(&mut **write)
        .await?;
    let subjects: i64 = row.try_get(0)?;
    Ok(subjects >= SUBJECTS_MAX)
}
