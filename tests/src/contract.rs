//! What every implementation of a repository trait must do. One contract a trait, one function a promise.

pub mod api_keys;
pub mod artists;
pub mod audit;
pub mod bulk_load;
pub mod changes;
pub mod clocks;
pub mod commands;
pub mod faults;
pub mod generations;
pub mod given_up;
pub mod http;
pub mod recall;
pub mod research_sources;
pub mod rollups;
pub mod similar_artists;
pub mod style_profiles;
pub mod style_vectors;

/// Makes one test of each promise of each contract, on the stores of one fixture; with `repositories` only of those
/// contracts whose repositories something may stand in front of, and with `service` only of what is promised over HTTP.
#[macro_export]
macro_rules! contracts {
    ($fixture:ty) => {
        $crate::contracts! { $fixture, repositories }
        $crate::contracts! { $fixture, service }
        $crate::contracts! { $fixture;
            changes: {
                every_change_moves_the_version, tells_the_latest_state_in_order, counts_edits_by_hand, a_name_that_is_none_hides_no_other,
                never_uses_a_version_twice, commit_order_is_version_order, a_removal_tells_its_version,
                a_follower_tells_the_same, a_follower_hears_of_every_commit, a_follower_tells_states_apart, hints_that_nobody_waited_for_lose_nothing,
            }
            api_keys: {
                returns_what_was_stored, pages_oldest_first, a_key_is_revoked_once, rotating_hands_on_what_a_key_opens,
                a_key_that_opens_nothing_is_not_rotated, tells_what_changed_in_order, using_a_key_is_no_change,
                edits_by_hand_count_and_none_is_removed, what_is_no_key_hides_no_other, the_access_secret_is_found_or_asked_for,
            }
            audit: {
                every_write_leaves_a_record, what_changes_nothing_leaves_none, a_write_that_fails_late_leaves_none,
                recording_leaves_one_record_a_request, an_import_leaves_one_record_a_batch, keys_leave_records,
                pages_of_what_is_asked_for, nothing_in_it_is_changed_or_removed,
            }
            clocks: {
                jumps_move_nothing_back, jumps_leave_no_gap_in_a_history, a_clock_that_is_ahead_is_not_believed,
            }
            research_sources: { adds_and_pages, refuses_a_removed_artist, }
            style_vectors: {
                whoever_applies_it_has_what_is_stored, follows_the_change_feed,
                an_embedding_without_profile_does_not_count, what_cannot_be_compared_hides_no_other,
            }
            recall: {
                the_command_measures_what_is_in_use, the_command_needs_an_embedding, what_is_not_found_is_missed,
                whom_to_search_around_is_left_to_chance, the_service_samples_what_an_index_answers,
                closing_the_service_ends_what_it_started,
            }
            generations: {
                returns_what_was_recorded, repeating_counts_nothing_twice, an_unknown_artist_stops_all,
                callers_are_refused_one_by_one, history_neither_skips_nor_repeats, histories_can_be_filtered,
                everything_is_paged_by_time, sums_are_exact, a_removed_artist_leaves_its_entries,
                removal_beside_recording_loses_nothing,
            }
            rollups: {
                say_what_the_generations_say, folding_changes_no_sum, a_fold_that_is_over_is_over,
                tell_what_changed_since, a_position_may_be_unknown, readers_see_one_moment, quarters_make_up_every_span, artists_are_told_apart, times_can_be_exact,
                one_folds_at_a_time, drift_is_found, rebuilding_repairs, rebuilding_beside_recording_is_exact,
                retired_generations_stay_in_every_sum, retiring_beside_recording_is_exact, nothing_is_missing_while_months_go,
                an_artists_total_is_right_while_sums_are_made_anew, an_entry_that_was_removed_by_hand_is_noticed,
            }
            given_up: { what_is_acknowledged_afterwards_is_kept, }
            commands: {
                an_export_is_imported_to_the_same_bytes, one_input_gives_the_same_bytes_on_every_backend,
                importing_again_changes_nothing, a_bad_line_stops_an_import, a_bad_line_can_be_skipped,
                every_kind_of_bad_line_is_told, unknown_members_are_noticed_once, of_lines_for_one_artist_the_last_stands,
                an_interrupted_import_can_be_run_again,
                generations_are_imported_to_the_same_bytes, many_generations_are_exported_in_order,
                importing_generations_again_counts_nothing_twice,
                a_removed_artists_generations_are_exported_without_it, unknown_artists_can_be_made,
                every_kind_of_bad_generation_is_told, a_bad_generation_stops_an_import,
                an_interrupted_import_of_generations_can_be_run_again, an_import_brings_sums_up_to_date,
                keys_are_made_listed_rotated_and_revoked, what_cannot_be_done_with_keys_is_said,
                a_range_of_time_can_be_exported, a_synthetic_history_can_be_loaded,
            }
        }
    };
    ($fixture:ty, service) => {
        $crate::contracts! { $fixture, http;
            artists: {
                makes_an_artist_once, finds_by_any_spelling_and_suggests, lists_page_by_page, lists_what_is_asked_for,
                removes_all_but_the_account,
            }
            style_profiles: {
                saves_and_replaces, a_save_updates_the_artist, what_is_left_out_is_empty,
                shows_the_embedding_when_asked, removes_a_profile,
            }
            conditions: {
                whoever_has_the_profile_is_told_so, a_write_can_insist_on_a_version,
                the_tag_with_the_embedding_is_good_for_a_write, a_write_can_insist_on_being_the_first,
                a_condition_must_be_understood,
            }
            sources: { adds_one_or_many, lists_page_by_page, refuses_bad_sources, }
            similar_artists: {
                finds_the_closest, follows_every_change, tells_what_is_missing, numbers_follow_the_metric, engines_agree,
                every_condition_counts, statuses_count, wherever_a_filter_is_given_it_is_the_same,
                differences_are_in_units_of_drummers, a_mean_is_compared_with, around_an_embedding_is_everybody,
                goes_towards_some_and_away_from_others, names_everybody_who_cannot_be_compared,
                what_cancels_out_has_no_direction, answers_each_or_says_why_not, answers_a_hundred_as_one_by_one,
                a_kept_answer_is_good_until_something_changes, what_another_instance_wrote_is_found,
                answers_do_not_depend_on_the_index, the_last_good_search_outlives_the_database,
                parameters_that_mean_nothing, searches_that_are_none, the_two_forms_of_a_filter_refuse_the_same,
                batches_that_are_none, searches_are_counted,
            }
            generations: {
                records_and_shows_one, records_many, repeating_counts_nothing_twice, lists_page_by_page,
                every_detail_comes_back, an_identity_given_twice,
            }
            idempotency: {
                a_single_one_counts_once, an_array_counts_once, at_once_it_counts_once, other_content_is_refused,
                own_identities_come_first, a_refused_request_uses_up_no_key, bad_keys,
            }
            history: {
                lists_what_is_asked_for, a_period_runs_forward, a_removed_artist_leaves_the_entry,
            }
            statistics: {
                nothing_is_zero_or_unknown, sums_up, every_acknowledged_generation_counts, counts_what_is_asked_for,
                percentiles_are_what_they_say, an_unknown_artist_is_named, a_period_runs_forward, fills_a_table,
                the_form_is_negotiated,
            }
            series: {
                a_day_in_spring_is_short, a_day_in_autumn_is_long, offsets_of_half_an_hour, empty_buckets_are_there,
                groups_add_up, most_artists_are_others, ends_may_be_left_out, fills_a_table,
                percentiles_are_what_they_say, bad_parameters,
            }
            money: { adds_up, reads_every_spelling, refuses_what_is_no_amount, unknown_is_not_zero, }
            names: { by_url, by_import, spellings_meet, nothing_is_decoded_twice, }
            freshness: {
                says_which_tier_answered, strict_reads_see_what_another_instance_wrote,
                default_reads_see_it_in_time, own_writes_are_seen_at_once, whoever_has_it_already_is_told_so,
                a_choice_of_versions_is_checked_strictly, who_was_just_made_elsewhere_can_be_written_about,
                who_was_just_removed_elsewhere_cannot, edits_by_hand_are_seen,
                the_last_good_answer_outlives_the_database, nothing_stale_where_that_is_off,
                no_answer_is_older_than_the_bound,
            }
            operations: {
                tells_how_it_is, tells_how_its_caches_are, tells_how_the_account_is_kept, tells_that_the_database_is_gone, counts_what_it_answers,
                describes_itself, every_answer_has_an_identity, a_head_has_no_body,
            }
            metrics: { counts_the_data_layer, labels_are_not_the_callers_to_invent, }
            paths: { what_is_no_route, what_is_no_utf8, what_is_no_method, }
            access: {
                every_route_is_open_to_those_who_need_it, what_is_no_route_is_told_to_nobody, a_stranger_is_refused_before_the_body,
                a_key_is_shown_once, bad_keys_are_refused, a_rotated_key_goes_on_for_a_while,
                a_revocation_is_known_everywhere, a_new_key_is_known_everywhere, the_last_use_is_noted,
                every_write_is_audited_with_its_key, while_access_is_off_no_key_is_made,
                what_is_known_of_keys_is_told, keys_outlive_the_database_for_a_while,
            }
            limits: {
                who_asks_too_often_is_told_when_to_come_back, a_key_has_limits_of_its_own,
                a_trusted_proxy_tells_addresses_apart, bad_keys_are_told_to_wait_and_good_ones_are_not,
                what_is_too_much_at_once_is_sent_away, a_body_that_takes_too_long, a_route_that_takes_too_long,
                urls_and_heads_that_are_too_large,
            }
            deadlines: { a_late_write_is_done, a_late_read_is_dropped, }
            hostile: {
                texts_are_stored_verbatim_or_refused, targets_that_are_something_else, headers_that_are_something_else,
                bodies_that_break_readers,
            }
            bad_names: { in_a_path, in_a_body, the_longest_name_is_fine, }
            bad_bodies: {
                what_is_no_json, what_is_no_object, a_member_given_twice, too_large, not_declared_as_json,
            }
            bad_profiles: {
                parameters_out_of_range, embeddings_that_are_none, members_of_the_wrong_kind,
                everything_wrong_is_told_at_once,
            }
            bad_parameters: { limits, values, unknown_and_repeated, }
            bad_generations: {
                members_of_the_wrong_kind, one_bad_entry_stops_all, too_few_and_too_many, identities,
            }
        }
    };
    ($fixture:ty, repositories) => {
        $crate::contracts! { $fixture;
            artists: {
                one_name_is_one_artist, keeps_every_real_name, a_hundred_callers_make_one_artist, pages_by_key,
                lists_by_status_and_search, notes_where_research_stands, removes_all_but_the_account,
                suggests_what_looks_alike,
            }
            style_profiles: {
                returns_what_was_saved, replaces_and_keeps_identity, saving_updates_the_artist,
                saving_without_embedding_removes_it, finds_many_in_order, refuses_what_was_not_expected,
                concurrent_saves_all_succeed_and_the_last_stands, saves_that_wait_together_are_told_apart,
                removal_leaves_the_artist_pending,
            }
            similar_artists: {
                agrees_with_the_definition, gives_the_same_numbers_on_every_backend,
                ranks_what_single_precision_cannot_tell_apart, takes_every_scale,
                twins_are_ordered_by_key_and_self_is_left_out, any_number_can_be_left_out, answers_from_none_and_few,
                conditions_hold_together, ends_of_ranges_are_included, nobody_may_be_admitted,
                every_engine_says_what_it_did, a_batch_is_answered_as_one_by_one, tells_as_of_when,
                every_change_counts_at_once, edits_by_hand_count_at_once, what_cannot_be_compared_hides_no_other,
                never_tears_a_vector_under_writes,
            }
            faults: {
                a_save_that_fails_late_changes_nothing, a_save_that_fails_fails_nobody_else, a_blocked_write_fails_in_time,
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
    ($fixture:ty, http; $($resource:ident: { $($promise:ident,)* })*) => {
        mod http {
            $(mod $resource {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $promise() -> anyhow::Result<()> {
                    let fixture = <$fixture as $crate::fixture::Fixture>::open().await?;
                    let service = $crate::service::Service::start(&fixture).await?;
                    $crate::contract::http::$resource::$promise(&service).await?;
                    service.stop().await;
                    $crate::fixture::Fixture::close(fixture).await
                })*
            })*
        }
    };
}
