//! What every implementation of a repository trait must do. One contract a trait, one function a promise.

pub mod artists;
pub mod bulk_load;
pub mod changes;
pub mod faults;
pub mod generations;
pub mod research_sources;
pub mod similar_artists;
pub mod style_profiles;

/// Makes one test of each promise of each contract, on the stores of one fixture.
#[macro_export]
macro_rules! contracts {
    ($fixture:ty) => {
        $crate::contracts! { $fixture;
            artists: {
                one_name_is_one_artist, keeps_every_real_name, a_hundred_callers_make_one_artist, pages_by_key,
                lists_by_status_and_search, notes_where_research_stands, removes_all_but_the_account,
                suggests_what_looks_alike,
            }
            style_profiles: {
                returns_what_was_saved, replaces_and_keeps_identity, saving_updates_the_artist,
                saving_without_embedding_removes_it, finds_many_in_order, refuses_what_was_not_expected,
                concurrent_saves_all_succeed_and_the_last_stands, removal_leaves_the_artist_pending,
            }
            changes: {
                every_change_moves_the_version, tells_the_latest_state_in_order, counts_edits_by_hand,
                never_uses_a_version_twice, commit_order_is_version_order,
            }
            faults: { a_save_that_fails_late_changes_nothing, a_blocked_write_fails_in_time, }
            research_sources: { adds_and_pages, refuses_a_removed_artist, }
            similar_artists: {
                agrees_with_brute_force, twins_are_ordered_by_key_and_self_is_left_out,
                answers_from_none_and_few, never_tears_a_vector_under_writes,
            }
            generations: {
                returns_what_was_recorded, repeating_counts_nothing_twice, an_unknown_artist_stops_all,
                history_neither_skips_nor_repeats, sums_are_exact, a_removed_artist_leaves_its_entries,
            }
            bulk_load: {
                loads_what_save_would, loading_again_changes_nothing, the_last_of_one_artist_stands,
                replaces_only_what_differs, takes_artists_without_profile, takes_thousands,
            }
        }
    };
    ($fixture:ty; $($contract:ident: { $($promise:ident,)* })*) => {
        $(mod $contract {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() -> anyhow::Result<()> {
                let fixture = <$fixture as $crate::fixture::Fixture>::open().await?;
                $crate::contract::$contract::$promise(&fixture).await?;
                $crate::fixture::Fixture::close(fixture).await
            })*
        })*
    };
}
