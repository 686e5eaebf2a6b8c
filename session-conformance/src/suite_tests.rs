//! Generated from the catalogue; see tests/generated.rs.

/// A test for each rule: its name, and what it needs.
#[doc(hidden)]
#[macro_export]
#[rustfmt::skip]
macro_rules! __suite_tests {
    ($harness:path, $without:tt, $not_run:tt) => {
        $crate::__suite_test!($harness, pre_01_fresh_namespace_is_empty, [], $without, $not_run);
        $crate::__suite_test!($harness, pre_02_namespaces_are_apart, [], $without, $not_run);
        $crate::__suite_test!($harness, pre_03_handles_share_one_namespace, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, pre_04_undeclared_capabilities_are_unsupported, [], $without, $not_run);
        $crate::__suite_test!($harness, pre_05_usable_from_any_thread, [], $without, $not_run);
        $crate::__suite_test!($harness, get_01_unknown_id_is_none, [], $without, $not_run);
        $crate::__suite_test!($harness, get_02_get_has_no_side_effect, [], $without, $not_run);
        $crate::__suite_test!($harness, get_03_odd_ids_are_exact_or_refused, [], $without, $not_run);
        $crate::__suite_test!($harness, get_04_similar_ids_are_different, [], $without, $not_run);
        $crate::__suite_test!($harness, get_05_returned_record_is_a_copy, [], $without, $not_run);
        $crate::__suite_test!($harness, get_06_undecodable_is_an_error, [undecodable], $without, $not_run);
        $crate::__suite_test!($harness, set_01_get_returns_what_was_set, [], $without, $not_run);
        $crate::__suite_test!($harness, set_02_set_replaces_the_whole_record, [], $without, $not_run);
        $crate::__suite_test!($harness, set_03_set_replaces_the_expiry, [], $without, $not_run);
        $crate::__suite_test!($harness, set_04_set_copies_its_argument, [], $without, $not_run);
        $crate::__suite_test!($harness, set_05_last_set_wins_and_is_one_record, [], $without, $not_run);
        $crate::__suite_test!($harness, set_06_set_leaves_neighbours_alone, [], $without, $not_run);
        $crate::__suite_test!($harness, set_07_reads_its_own_writes, [], $without, $not_run);
        $crate::__suite_test!($harness, set_08_other_handles_see_a_write, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, des_01_destroyed_is_none, [], $without, $not_run);
        $crate::__suite_test!($harness, des_02_destroying_nothing_is_ok, [], $without, $not_run);
        $crate::__suite_test!($harness, des_03_destroy_removes_one_id, [], $without, $not_run);
        $crate::__suite_test!($harness, des_04_expired_can_be_destroyed, [], $without, $not_run);
        $crate::__suite_test!($harness, des_05_without_expiry_can_be_destroyed, [], $without, $not_run);
        $crate::__suite_test!($harness, des_06_set_after_destroy_is_fresh, [], $without, $not_run);
        $crate::__suite_test!($harness, des_07_other_handles_see_a_destroy, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, des_08_destroy_leaves_nothing_behind, [], $without, $not_run);
        $crate::__suite_test!($harness, tch_01_touch_moves_the_expiry, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tch_02_touch_changes_no_data, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tch_03_touch_creates_nothing, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tch_04_touch_does_not_revive_expired, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tch_05_touch_does_not_revive_destroyed, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tch_06_touch_shortens_and_removes, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tch_07_touch_is_one_round_trip, [touch round_trips], $without, $not_run);
        $crate::__suite_test!($harness, len_01_length_counts_live_records, [length], $without, $not_run);
        $crate::__suite_test!($harness, len_02_length_follows_set_and_destroy, [length], $without, $not_run);
        $crate::__suite_test!($harness, len_03_length_counts_this_namespace, [length], $without, $not_run);
        $crate::__suite_test!($harness, len_04_length_of_many, [length], $without, $not_run);
        $crate::__suite_test!($harness, len_05_length_follows_every_write, [length], $without, $not_run);
        $crate::__suite_test!($harness, len_06_foreign_things_are_no_records, [length foreign], $without, $not_run);
        $crate::__suite_test!($harness, all_01_all_gives_each_record_once, [all], $without, $not_run);
        $crate::__suite_test!($harness, all_02_all_leaves_out_expired_and_foreign, [all], $without, $not_run);
        $crate::__suite_test!($harness, all_03_all_of_nothing_is_empty, [all], $without, $not_run);
        $crate::__suite_test!($harness, all_04_all_of_many, [all], $without, $not_run);
        $crate::__suite_test!($harness, all_05_listed_ids_can_be_used, [all], $without, $not_run);
        $crate::__suite_test!($harness, all_06_all_while_others_write, [all], $without, $not_run);
        $crate::__suite_test!($harness, all_07_undecodable_is_one_item, [all undecodable], $without, $not_run);
        $crate::__suite_test!($harness, all_08_all_can_be_left_early, [all], $without, $not_run);
        $crate::__suite_test!($harness, clr_01_clear_removes_every_record, [clear], $without, $not_run);
        $crate::__suite_test!($harness, clr_02_clear_of_nothing_is_ok, [clear], $without, $not_run);
        $crate::__suite_test!($harness, clr_03_clear_leaves_other_namespaces_alone, [clear], $without, $not_run);
        $crate::__suite_test!($harness, clr_04_usable_after_clear, [clear], $without, $not_run);
        $crate::__suite_test!($harness, clr_05_clear_leaves_nothing_behind, [clear], $without, $not_run);
        $crate::__suite_test!($harness, clr_06_clear_of_many, [clear], $without, $not_run);
        $crate::__suite_test!($harness, clr_07_clear_leaves_foreign_things_alone, [clear foreign], $without, $not_run);
        $crate::__suite_test!($harness, exp_01_expired_means_expires_is_not_after_now, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_02_expired_is_none_before_any_sweep, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_03_expired_can_be_written, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_04_without_expiry_lives_on, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_05_parts_of_a_second_count, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_06_far_expiry, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_07_expiry_before_1970, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_08_expiry_across_daylight_saving, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_09_expired_id_can_be_set_again, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_10_overwriting_outlives_the_old_expiry, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_11_max_age_and_expiry_are_two_things, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_12_backend_drops_expired, [server_ttl count], $without, $not_run);
        $crate::__suite_test!($harness, exp_13_wrong_clock, [skew], $without, $not_run);
        $crate::__suite_test!($harness, exp_14_each_record_has_its_own_expiry, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_15_default_ttl_is_kept, [], $without, $not_run);
        $crate::__suite_test!($harness, exp_16_last_expiry_wins, [touch], $without, $not_run);
        $crate::__suite_test!($harness, exp_17_all_methods_agree_on_the_last_moment, [], $without, $not_run);
        $crate::__suite_test!($harness, swp_01_sweep_removes_expired_only, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, swp_02_sweep_keeps_its_limit, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, swp_03_sweeps_in_parallel, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, swp_04_sweep_spares_what_comes_alive, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, swp_05_sweep_works_after_an_error, [sweep fault], $without, $not_run);
        $crate::__suite_test!($harness, swp_06_sweep_goes_by_the_stored_expiry, [sweep touch], $without, $not_run);
        $crate::__suite_test!($harness, swp_07_sweep_leaves_nothing_behind, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, swp_08_ended_records_do_not_stay, [count], $without, $not_run);
        $crate::__suite_test!($harness, res_01_replace_creates_nothing, [replace], $without, $not_run);
        $crate::__suite_test!($harness, res_02_logout_wins_over_a_slow_request, [replace], $without, $not_run);
        $crate::__suite_test!($harness, res_03_old_id_stays_gone_after_regenerate, [replace], $without, $not_run);
        $crate::__suite_test!($harness, res_04_replace_does_not_revive_expired, [replace], $without, $not_run);
        $crate::__suite_test!($harness, res_05_create_leaves_what_is_there, [create], $without, $not_run);
        $crate::__suite_test!($harness, res_06_create_over_expired, [create], $without, $not_run);
        $crate::__suite_test!($harness, res_07_replace_by_expired, [replace], $without, $not_run);
        $crate::__suite_test!($harness, res_08_create_of_expired, [create], $without, $not_run);
        $crate::__suite_test!($harness, res_09_create_writes_the_whole_record, [create], $without, $not_run);
        $crate::__suite_test!($harness, res_10_create_again_after_destroy, [create], $without, $not_run);
        $crate::__suite_test!($harness, cas_01_replace_of_a_changed_record_conflicts, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_02_replace_after_a_new_beginning, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_03_no_lost_update, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_04_one_create_wins, [create], $without, $not_run);
        $crate::__suite_test!($harness, cas_05_touch_is_no_change, [replace touch], $without, $not_run);
        $crate::__suite_test!($harness, cas_06_replace_writes_the_expiry, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_07_replace_changes_one_id, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_08_replace_compares_each_byte, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_09_replace_by_the_same, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_10_any_handle_can_replace, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_11_one_replace_wins, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_12_replace_undoes_no_concurrent_write, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cas_13_create_undoes_no_concurrent_set, [create], $without, $not_run);
        $crate::__suite_test!($harness, con_01_parallel_ids_do_not_mix, [], $without, $not_run);
        $crate::__suite_test!($harness, con_02_parallel_writes_are_whole, [], $without, $not_run);
        $crate::__suite_test!($harness, con_03_a_session_is_a_register, [], $without, $not_run);
        $crate::__suite_test!($harness, con_04_a_dropped_call_leaves_old_or_new, [], $without, $not_run);
        $crate::__suite_test!($harness, con_05_one_connection_is_enough, [], $without, $not_run);
        $crate::__suite_test!($harness, con_06_a_panicking_caller_poisons_nothing, [], $without, $not_run);
        $crate::__suite_test!($harness, con_07_works_on_any_runtime, [], $without, $not_run);
        $crate::__suite_test!($harness, con_08_calls_do_not_block_the_executor, [], $without, $not_run);
        $crate::__suite_test!($harness, con_09_migrations_may_meet, [schema], $without, $not_run);
        $crate::__suite_test!($harness, con_10_a_failed_call_gives_back_what_it_took, [], $without, $not_run);
        $crate::__suite_test!($harness, con_11_conditional_writes_reach_other_handles, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, con_12_a_closed_handle_closes_no_other, [], $without, $not_run);
        $crate::__suite_test!($harness, uni_01_every_json_value_survives, [], $without, $not_run);
        $crate::__suite_test!($harness, uni_02_unknown_fields_and_their_order_survive, [], $without, $not_run);
        $crate::__suite_test!($harness, uni_03_data_is_not_taken_for_meta, [], $without, $not_run);
        $crate::__suite_test!($harness, uni_04_empty_data_is_a_record, [], $without, $not_run);
        $crate::__suite_test!($harness, uni_05_the_text_is_kept_byte_for_byte, [], $without, $not_run);
        $crate::__suite_test!($harness, siz_01_records_of_64_kib_round_trip, [], $without, $not_run);
        $crate::__suite_test!($harness, siz_02_records_of_1_mib_are_kept_or_refused, [], $without, $not_run);
        $crate::__suite_test!($harness, siz_03_the_declared_limit_is_exact, [max_record_bytes], $without, $not_run);
        $crate::__suite_test!($harness, siz_04_many_keys_and_deep_nesting, [], $without, $not_run);
        $crate::__suite_test!($harness, siz_05_sizes_around_powers_of_two, [], $without, $not_run);
        $crate::__suite_test!($harness, siz_06_incompressible_data_survives, [], $without, $not_run);
        $crate::__suite_test!($harness, siz_07_records_of_16_mib_are_kept_or_refused, [], $without, $not_run);
        $crate::__suite_test!($harness, dur_01_records_outlive_their_handles, [durable], $without, $not_run);
        $crate::__suite_test!($harness, dur_02_records_survive_a_kill, [durable crash], $without, $not_run);
        $crate::__suite_test!($harness, dur_03_reads_what_older_versions_wrote, [fixture], $without, $not_run);
        $crate::__suite_test!($harness, dur_04_destroys_survive_a_kill, [durable crash], $without, $not_run);
        $crate::__suite_test!($harness, dur_05_expiries_outlive_their_handles, [durable], $without, $not_run);
        $crate::__suite_test!($harness, err_01_an_unreachable_backend_is_an_error, [fault], $without, $not_run);
        $crate::__suite_test!($harness, err_02_a_backend_that_comes_back_is_used, [fault], $without, $not_run);
        $crate::__suite_test!($harness, err_03_errors_hold_no_secrets, [], $without, $not_run);
        $crate::__suite_test!($harness, err_04_errors_have_their_kind, [], $without, $not_run);
        $crate::__suite_test!($harness, err_05_a_lost_answer_is_no_answer, [fault], $without, $not_run);
        $crate::__suite_test!($harness, obs_01_debug_of_the_store_holds_no_secrets, [], $without, $not_run);
        $crate::__suite_test!($harness, obs_02_calls_are_one_round_trip, [round_trips], $without, $not_run);
        $crate::__suite_test!($harness, byt_all_keeps_every_byte, [all], $without, $not_run);
        $crate::__suite_test!($harness, byt_create_keeps_every_byte, [create], $without, $not_run);
        $crate::__suite_test!($harness, byt_get_keeps_every_byte, [], $without, $not_run);
        $crate::__suite_test!($harness, byt_replace_keeps_every_byte, [replace], $without, $not_run);
        $crate::__suite_test!($harness, byt_set_keeps_every_byte, [], $without, $not_run);
        $crate::__suite_test!($harness, byt_touch_keeps_every_byte, [touch], $without, $not_run);
        $crate::__suite_test!($harness, ids_all_takes_ids_as_they_are, [all], $without, $not_run);
        $crate::__suite_test!($harness, ids_clear_takes_ids_as_they_are, [clear], $without, $not_run);
        $crate::__suite_test!($harness, ids_create_takes_ids_as_they_are, [create], $without, $not_run);
        $crate::__suite_test!($harness, ids_destroy_takes_ids_as_they_are, [], $without, $not_run);
        $crate::__suite_test!($harness, ids_get_takes_ids_as_they_are, [], $without, $not_run);
        $crate::__suite_test!($harness, ids_ids_takes_ids_as_they_are, [all], $without, $not_run);
        $crate::__suite_test!($harness, ids_length_takes_ids_as_they_are, [length], $without, $not_run);
        $crate::__suite_test!($harness, ids_replace_takes_ids_as_they_are, [replace], $without, $not_run);
        $crate::__suite_test!($harness, ids_set_takes_ids_as_they_are, [], $without, $not_run);
        $crate::__suite_test!($harness, ids_sweep_takes_ids_as_they_are, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, ids_touch_takes_ids_as_they_are, [touch], $without, $not_run);
        $crate::__suite_test!($harness, nsp_all_stays_in_its_namespace, [all], $without, $not_run);
        $crate::__suite_test!($harness, nsp_clear_stays_in_its_namespace, [clear], $without, $not_run);
        $crate::__suite_test!($harness, nsp_create_stays_in_its_namespace, [create], $without, $not_run);
        $crate::__suite_test!($harness, nsp_destroy_stays_in_its_namespace, [], $without, $not_run);
        $crate::__suite_test!($harness, nsp_get_stays_in_its_namespace, [], $without, $not_run);
        $crate::__suite_test!($harness, nsp_ids_stays_in_its_namespace, [all], $without, $not_run);
        $crate::__suite_test!($harness, nsp_length_stays_in_its_namespace, [length], $without, $not_run);
        $crate::__suite_test!($harness, nsp_replace_stays_in_its_namespace, [replace], $without, $not_run);
        $crate::__suite_test!($harness, nsp_set_stays_in_its_namespace, [], $without, $not_run);
        $crate::__suite_test!($harness, nsp_sweep_stays_in_its_namespace, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, nsp_touch_stays_in_its_namespace, [touch], $without, $not_run);
        $crate::__suite_test!($harness, end_all_keeps_expiries_exact, [all], $without, $not_run);
        $crate::__suite_test!($harness, end_create_keeps_expiries_exact, [create], $without, $not_run);
        $crate::__suite_test!($harness, end_get_keeps_expiries_exact, [], $without, $not_run);
        $crate::__suite_test!($harness, end_ids_keeps_expiries_exact, [all], $without, $not_run);
        $crate::__suite_test!($harness, end_length_keeps_expiries_exact, [length], $without, $not_run);
        $crate::__suite_test!($harness, end_replace_keeps_expiries_exact, [replace], $without, $not_run);
        $crate::__suite_test!($harness, end_set_keeps_expiries_exact, [], $without, $not_run);
        $crate::__suite_test!($harness, end_sweep_keeps_expiries_exact, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, end_touch_keeps_expiries_exact, [touch], $without, $not_run);
        $crate::__suite_test!($harness, tal_clear_leaves_a_right_tally, [clear], $without, $not_run);
        $crate::__suite_test!($harness, tal_create_leaves_a_right_tally, [create], $without, $not_run);
        $crate::__suite_test!($harness, tal_destroy_leaves_a_right_tally, [], $without, $not_run);
        $crate::__suite_test!($harness, tal_get_leaves_a_right_tally, [], $without, $not_run);
        $crate::__suite_test!($harness, tal_replace_leaves_a_right_tally, [replace], $without, $not_run);
        $crate::__suite_test!($harness, tal_set_leaves_a_right_tally, [], $without, $not_run);
        $crate::__suite_test!($harness, tal_sweep_leaves_a_right_tally, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, tal_touch_leaves_a_right_tally, [touch], $without, $not_run);
        $crate::__suite_test!($harness, see_all_is_seen_at_once, [all second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_clear_is_seen_at_once, [clear second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_create_is_seen_at_once, [create second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_destroy_is_seen_at_once, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_get_is_seen_at_once, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_ids_is_seen_at_once, [all second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_length_is_seen_at_once, [length second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_replace_is_seen_at_once, [replace second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_set_is_seen_at_once, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_sweep_is_seen_at_once, [sweep second_handle], $without, $not_run);
        $crate::__suite_test!($harness, see_touch_is_seen_at_once, [touch second_handle], $without, $not_run);
        $crate::__suite_test!($harness, cut_all_can_be_dropped_at_any_await, [all], $without, $not_run);
        $crate::__suite_test!($harness, cut_clear_can_be_dropped_at_any_await, [clear], $without, $not_run);
        $crate::__suite_test!($harness, cut_create_can_be_dropped_at_any_await, [create], $without, $not_run);
        $crate::__suite_test!($harness, cut_destroy_can_be_dropped_at_any_await, [], $without, $not_run);
        $crate::__suite_test!($harness, cut_get_can_be_dropped_at_any_await, [], $without, $not_run);
        $crate::__suite_test!($harness, cut_ids_can_be_dropped_at_any_await, [all], $without, $not_run);
        $crate::__suite_test!($harness, cut_length_can_be_dropped_at_any_await, [length], $without, $not_run);
        $crate::__suite_test!($harness, cut_replace_can_be_dropped_at_any_await, [replace], $without, $not_run);
        $crate::__suite_test!($harness, cut_set_can_be_dropped_at_any_await, [], $without, $not_run);
        $crate::__suite_test!($harness, cut_sweep_can_be_dropped_at_any_await, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, cut_touch_can_be_dropped_at_any_await, [touch], $without, $not_run);
        $crate::__suite_test!($harness, one_create_is_one_step, [create], $without, $not_run);
        $crate::__suite_test!($harness, one_destroy_is_one_step, [], $without, $not_run);
        $crate::__suite_test!($harness, one_get_is_one_step, [], $without, $not_run);
        $crate::__suite_test!($harness, one_replace_is_one_step, [replace], $without, $not_run);
        $crate::__suite_test!($harness, one_set_is_one_step, [], $without, $not_run);
        $crate::__suite_test!($harness, one_sweep_is_one_step, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, one_touch_is_one_step, [touch], $without, $not_run);
        $crate::__suite_test!($harness, kil_clear_outlives_a_kill, [clear durable crash], $without, $not_run);
        $crate::__suite_test!($harness, kil_create_outlives_a_kill, [create durable crash], $without, $not_run);
        $crate::__suite_test!($harness, kil_destroy_outlives_a_kill, [durable crash], $without, $not_run);
        $crate::__suite_test!($harness, kil_replace_outlives_a_kill, [replace durable crash], $without, $not_run);
        $crate::__suite_test!($harness, kil_set_outlives_a_kill, [durable crash], $without, $not_run);
        $crate::__suite_test!($harness, kil_touch_outlives_a_kill, [touch durable crash], $without, $not_run);
        $crate::__suite_test!($harness, los_all_survives_a_lost_answer, [all fault], $without, $not_run);
        $crate::__suite_test!($harness, los_clear_survives_a_lost_answer, [clear fault], $without, $not_run);
        $crate::__suite_test!($harness, los_create_survives_a_lost_answer, [create fault], $without, $not_run);
        $crate::__suite_test!($harness, los_destroy_survives_a_lost_answer, [fault], $without, $not_run);
        $crate::__suite_test!($harness, los_get_survives_a_lost_answer, [fault], $without, $not_run);
        $crate::__suite_test!($harness, los_ids_survives_a_lost_answer, [all fault], $without, $not_run);
        $crate::__suite_test!($harness, los_length_survives_a_lost_answer, [length fault], $without, $not_run);
        $crate::__suite_test!($harness, los_replace_survives_a_lost_answer, [replace fault], $without, $not_run);
        $crate::__suite_test!($harness, los_set_survives_a_lost_answer, [fault], $without, $not_run);
        $crate::__suite_test!($harness, los_sweep_survives_a_lost_answer, [sweep fault], $without, $not_run);
        $crate::__suite_test!($harness, los_touch_survives_a_lost_answer, [touch fault], $without, $not_run);
        $crate::__suite_test!($harness, out_all_is_refused_while_down, [all fault], $without, $not_run);
        $crate::__suite_test!($harness, out_clear_is_refused_while_down, [clear fault], $without, $not_run);
        $crate::__suite_test!($harness, out_create_is_refused_while_down, [create fault], $without, $not_run);
        $crate::__suite_test!($harness, out_destroy_is_refused_while_down, [fault], $without, $not_run);
        $crate::__suite_test!($harness, out_get_is_refused_while_down, [fault], $without, $not_run);
        $crate::__suite_test!($harness, out_ids_is_refused_while_down, [all fault], $without, $not_run);
        $crate::__suite_test!($harness, out_length_is_refused_while_down, [length fault], $without, $not_run);
        $crate::__suite_test!($harness, out_replace_is_refused_while_down, [replace fault], $without, $not_run);
        $crate::__suite_test!($harness, out_set_is_refused_while_down, [fault], $without, $not_run);
        $crate::__suite_test!($harness, out_sweep_is_refused_while_down, [sweep fault], $without, $not_run);
        $crate::__suite_test!($harness, out_touch_is_refused_while_down, [touch fault], $without, $not_run);
        $crate::__suite_test!($harness, sec_all_fails_without_secrets, [all], $without, $not_run);
        $crate::__suite_test!($harness, sec_clear_fails_without_secrets, [clear], $without, $not_run);
        $crate::__suite_test!($harness, sec_create_fails_without_secrets, [create], $without, $not_run);
        $crate::__suite_test!($harness, sec_destroy_fails_without_secrets, [], $without, $not_run);
        $crate::__suite_test!($harness, sec_get_fails_without_secrets, [], $without, $not_run);
        $crate::__suite_test!($harness, sec_ids_fails_without_secrets, [all], $without, $not_run);
        $crate::__suite_test!($harness, sec_length_fails_without_secrets, [length], $without, $not_run);
        $crate::__suite_test!($harness, sec_replace_fails_without_secrets, [replace], $without, $not_run);
        $crate::__suite_test!($harness, sec_set_fails_without_secrets, [], $without, $not_run);
        $crate::__suite_test!($harness, sec_sweep_fails_without_secrets, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, sec_touch_fails_without_secrets, [touch], $without, $not_run);
        $crate::__suite_test!($harness, blk_all_gives_its_thread_back, [all], $without, $not_run);
        $crate::__suite_test!($harness, blk_clear_gives_its_thread_back, [clear], $without, $not_run);
        $crate::__suite_test!($harness, blk_create_gives_its_thread_back, [create], $without, $not_run);
        $crate::__suite_test!($harness, blk_destroy_gives_its_thread_back, [], $without, $not_run);
        $crate::__suite_test!($harness, blk_get_gives_its_thread_back, [], $without, $not_run);
        $crate::__suite_test!($harness, blk_ids_gives_its_thread_back, [all], $without, $not_run);
        $crate::__suite_test!($harness, blk_length_gives_its_thread_back, [length], $without, $not_run);
        $crate::__suite_test!($harness, blk_replace_gives_its_thread_back, [replace], $without, $not_run);
        $crate::__suite_test!($harness, blk_set_gives_its_thread_back, [], $without, $not_run);
        $crate::__suite_test!($harness, blk_sweep_gives_its_thread_back, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, blk_touch_gives_its_thread_back, [touch], $without, $not_run);
        $crate::__suite_test!($harness, run_all_works_on_each_runtime, [all], $without, $not_run);
        $crate::__suite_test!($harness, run_clear_works_on_each_runtime, [clear], $without, $not_run);
        $crate::__suite_test!($harness, run_create_works_on_each_runtime, [create], $without, $not_run);
        $crate::__suite_test!($harness, run_destroy_works_on_each_runtime, [], $without, $not_run);
        $crate::__suite_test!($harness, run_get_works_on_each_runtime, [], $without, $not_run);
        $crate::__suite_test!($harness, run_ids_works_on_each_runtime, [all], $without, $not_run);
        $crate::__suite_test!($harness, run_length_works_on_each_runtime, [length], $without, $not_run);
        $crate::__suite_test!($harness, run_replace_works_on_each_runtime, [replace], $without, $not_run);
        $crate::__suite_test!($harness, run_set_works_on_each_runtime, [], $without, $not_run);
        $crate::__suite_test!($harness, run_sweep_works_on_each_runtime, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, run_touch_works_on_each_runtime, [touch], $without, $not_run);
        $crate::__suite_test!($harness, pan_all_survives_a_panic, [all], $without, $not_run);
        $crate::__suite_test!($harness, pan_clear_survives_a_panic, [clear], $without, $not_run);
        $crate::__suite_test!($harness, pan_create_survives_a_panic, [create], $without, $not_run);
        $crate::__suite_test!($harness, pan_destroy_survives_a_panic, [], $without, $not_run);
        $crate::__suite_test!($harness, pan_get_survives_a_panic, [], $without, $not_run);
        $crate::__suite_test!($harness, pan_ids_survives_a_panic, [all], $without, $not_run);
        $crate::__suite_test!($harness, pan_length_survives_a_panic, [length], $without, $not_run);
        $crate::__suite_test!($harness, pan_replace_survives_a_panic, [replace], $without, $not_run);
        $crate::__suite_test!($harness, pan_set_survives_a_panic, [], $without, $not_run);
        $crate::__suite_test!($harness, pan_sweep_survives_a_panic, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, pan_touch_survives_a_panic, [touch], $without, $not_run);
        $crate::__suite_test!($harness, mod_01_programs_on_one_handle, [], $without, $not_run);
        $crate::__suite_test!($harness, mod_02_programs_on_two_handles, [second_handle], $without, $not_run);
        $crate::__suite_test!($harness, mod_03_programs_with_dropped_calls, [], $without, $not_run);
        $crate::__suite_test!($harness, mod_04_programs_with_lost_answers, [fault], $without, $not_run);
        $crate::__suite_test!($harness, mod_05_programs_with_reopenings, [durable], $without, $not_run);
        $crate::__suite_test!($harness, par_01_every_pair_in_every_order_of_polls, [], $without, $not_run);
        $crate::__suite_test!($harness, par_02_every_pair_at_the_same_time, [], $without, $not_run);
        $crate::__suite_test!($harness, scl_01_twenty_thousand_records, [], $without, $not_run);
        $crate::__suite_test!($harness, scl_02_sweep_of_ten_thousand, [sweep], $without, $not_run);
        $crate::__suite_test!($harness, scl_03_streams_on_one_connection, [all], $without, $not_run);
        $crate::__suite_test!($harness, scl_04_a_broken_stream_is_an_error, [all fault], $without, $not_run);
    };
}

/// An ignored test if the need stands in the list, else what comes last.
#[doc(hidden)]
#[macro_export]
#[rustfmt::skip]
macro_rules! __suite_listed {
    (touch [touch $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `touch` is declared absent",
            "NOT RUN: the harness cannot reach `touch`",
            $($test)*
        );
    };
    (length [length $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `length` is declared absent",
            "NOT RUN: the harness cannot reach `length`",
            $($test)*
        );
    };
    (clear [clear $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `clear` is declared absent",
            "NOT RUN: the harness cannot reach `clear`",
            $($test)*
        );
    };
    (all [all $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `all` is declared absent",
            "NOT RUN: the harness cannot reach `all`",
            $($test)*
        );
    };
    (create [create $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `create` is declared absent",
            "NOT RUN: the harness cannot reach `create`",
            $($test)*
        );
    };
    (replace [replace $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `replace` is declared absent",
            "NOT RUN: the harness cannot reach `replace`",
            $($test)*
        );
    };
    (sweep [sweep $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `sweep` is declared absent",
            "NOT RUN: the harness cannot reach `sweep`",
            $($test)*
        );
    };
    (server_ttl [server_ttl $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `server_ttl` is declared absent",
            "NOT RUN: the harness cannot reach `server_ttl`",
            $($test)*
        );
    };
    (durable [durable $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `durable` is declared absent",
            "NOT RUN: the harness cannot reach `durable`",
            $($test)*
        );
    };
    (max_record_bytes [max_record_bytes $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `max_record_bytes` is declared absent",
            "NOT RUN: the harness cannot reach `max_record_bytes`",
            $($test)*
        );
    };
    (second_handle [second_handle $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `second_handle` is declared absent",
            "NOT RUN: the harness cannot reach `second_handle`",
            $($test)*
        );
    };
    (undecodable [undecodable $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `undecodable` is declared absent",
            "NOT RUN: the harness cannot reach `undecodable`",
            $($test)*
        );
    };
    (undecodable [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `undecodable` is declared absent",
            "NOT RUN: the harness cannot reach `undecodable`",
            $($test)*
        );
    };
    (fault [fault $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `fault` is declared absent",
            "NOT RUN: the harness cannot reach `fault`",
            $($test)*
        );
    };
    (fault [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `fault` is declared absent",
            "NOT RUN: the harness cannot reach `fault`",
            $($test)*
        );
    };
    (round_trips [round_trips $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `round_trips` is declared absent",
            "NOT RUN: the harness cannot reach `round_trips`",
            $($test)*
        );
    };
    (round_trips [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `round_trips` is declared absent",
            "NOT RUN: the harness cannot reach `round_trips`",
            $($test)*
        );
    };
    (foreign [foreign $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `foreign` is declared absent",
            "NOT RUN: the harness cannot reach `foreign`",
            $($test)*
        );
    };
    (foreign [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `foreign` is declared absent",
            "NOT RUN: the harness cannot reach `foreign`",
            $($test)*
        );
    };
    (count [count $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `count` is declared absent",
            "NOT RUN: the harness cannot reach `count`",
            $($test)*
        );
    };
    (count [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `count` is declared absent",
            "NOT RUN: the harness cannot reach `count`",
            $($test)*
        );
    };
    (schema [schema $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `schema` is declared absent",
            "NOT RUN: the harness cannot reach `schema`",
            $($test)*
        );
    };
    (schema [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `schema` is declared absent",
            "NOT RUN: the harness cannot reach `schema`",
            $($test)*
        );
    };
    (crash [crash $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `crash` is declared absent",
            "NOT RUN: the harness cannot reach `crash`",
            $($test)*
        );
    };
    (crash [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `crash` is declared absent",
            "NOT RUN: the harness cannot reach `crash`",
            $($test)*
        );
    };
    (fixture [fixture $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `fixture` is declared absent",
            "NOT RUN: the harness cannot reach `fixture`",
            $($test)*
        );
    };
    (fixture [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `fixture` is declared absent",
            "NOT RUN: the harness cannot reach `fixture`",
            $($test)*
        );
    };
    (skew [skew $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `skew` is declared absent",
            "NOT RUN: the harness cannot reach `skew`",
            $($test)*
        );
    };
    (skew [hooks $($rest:ident)*] {$($test:tt)*} $otherwise:tt) => {
        $crate::__suite_ignored!(
            "NOT SUPPORTED: `skew` is declared absent",
            "NOT RUN: the harness cannot reach `skew`",
            $($test)*
        );
    };
    ($need:ident [$first:ident $($rest:ident)*] $test:tt $otherwise:tt) => {
        $crate::__suite_listed!($need [$($rest)*] $test $otherwise);
    };
    ($need:ident [] $test:tt {$($otherwise:tt)*}) => { $($otherwise)* };
}
