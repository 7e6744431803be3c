use std::{fs, path::Path};

use super::*;

fn told(page: &str) -> Result<Moment, Unreadable> {
    moment([page.as_bytes()], &[]).map(summed)
}

/// Counters without their labels.
fn summed(moment: Moment) -> Moment {
    let of = |count: Option<Count>| count.map(|count| count.sum().into());
    let counts = moment.counts;
    Moment {
        counts: Counts {
            preemptions: of(counts.preemptions),
            prefix_queries: of(counts.prefix_queries),
            prefix_hits: of(counts.prefix_hits),
            drafted: of(counts.drafted),
            accepted: of(counts.accepted),
        },
        ..moment
    }
}

#[test]
fn requests_are_counted_over_engines_states_and_labels() {
    for (page, expected) in [
        (
            "# HELP vllm:num_requests_running Requests\nvllm:num_requests_running{engine=\"0\",model_name=\"a b\"} 2.0\n\
             vllm:num_requests_waiting{engine=\"0\"} 1.0\nvllm:num_requests_waiting_by_reason{r=\"x\"} 9\n",
            Some(3),
        ),
        (
            "llamacpp:requests_processing 0\nllamacpp:requests_deferred 0\n",
            Some(0),
        ),
        ("sglang:num_running_reqs{a=\"b\"} 4 1700000000\n", Some(4)),
        ("tgi_queue_size 2\ntgi_batch_current_size 3\n", Some(5)),
        ("go_goroutines 7\n", None),
        ("process_start_time_seconds 1.7e9\n", None),
        ("vllm:num_requests_running{} NaN\n", None),
        ("", None),
    ] {
        assert_eq!(held_requests([page.as_bytes()]), expected, "{page}");
    }
}

#[test]
fn of_one_engine_all_is_told_under_its_newest_names() {
    let vllm = "vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.75\n\
                vllm:gpu_cache_usage_perc 0.9\nvllm:num_requests_running{engine=\"0\"} 2\n\
                vllm:num_requests_running{engine=\"1\"} 3\nvllm:num_requests_waiting 0\nvllm:num_preemptions_total 4\n\
                vllm:num_preemptions_created 1.7e9\nvllm:prefix_cache_queries_total 100\nvllm:prefix_cache_hits_total 40\n";
    let expected = Moment {
        kv_used: Some(0.75),
        running: Some(5.0),
        waiting: Some(0.0),
        counts: Counts {
            preemptions: Some(Count::from(4.0)),
            prefix_queries: Some(Count::from(100.0)),
            prefix_hits: Some(Count::from(40.0)),
            ..Counts::default()
        },
        ..Moment::default()
    };
    assert_eq!(told(vllm), Ok(expected));
    let triton = "nv_trt_llm_request_metrics{model=\"m\",request_type=\"context\",version=\"1\"} 1\n\
                  nv_trt_llm_request_metrics{model=\"m\",request_type=\"scheduled\",version=\"1\"} 6\n\
                  nv_trt_llm_request_metrics{model=\"m\",request_type=\"waiting\",version=\"1\"} 2\n\
                  nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"used\",model=\"m\"} 500\n\
                  nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"fraction\",model=\"m\"} 0.5\n";
    let expected = Moment {
        kv_used: Some(0.5),
        running: Some(6.0),
        waiting: Some(2.0),
        ..Moment::default()
    };
    assert_eq!(told(triton), Ok(expected));
}

#[test]
fn tensorrt_llm_is_read_by_the_names_of_its_own_collector() {
    let page = "trtllm_num_requests_running{engine_type=\"trtllm\",model_name=\"m\"} 4.0\n\
                trtllm_num_requests_waiting{model_name=\"m\"} 1.0\ntrtllm_kv_cache_utilization{model_name=\"m\"} 0.25\n\
                trtllm_prompt_tokens_total{model_name=\"m\"} 200.0\ntrtllm_prompt_cached_tokens_total{model_name=\"m\"} 50.0\n\
                trtllm_prompt_cached_tokens_created{model_name=\"m\"} 1.7e9\n\
                trtllm_kv_cache_reused_blocks_total{model_name=\"m\"} 3.0\n\
                trtllm_spec_decode_num_draft_tokens_total{model_name=\"m\"} 80.0\n\
                trtllm_spec_decode_num_accepted_tokens_total{model_name=\"m\"} 60.0\n";
    let expected = Moment {
        kv_used: Some(0.25),
        running: Some(4.0),
        waiting: Some(1.0),
        counts: Counts {
            prefix_queries: Some(Count::from(200.0)),
            prefix_hits: Some(Count::from(50.0)),
            drafted: Some(Count::from(80.0)),
            accepted: Some(Count::from(60.0)),
            ..Counts::default()
        },
        ..Moment::default()
    };
    assert_eq!(told(page), Ok(expected));
}

#[test]
fn llama_cpp_counts_what_was_not_in_its_cache() {
    let page = "llamacpp:prompt_tokens_total 60\nllamacpp:prompt_tokens_cached_total 40\n";
    let counts = told(page).unwrap().counts;
    assert_eq!(
        (counts.prefix_queries, counts.prefix_hits),
        (Some(100.0.into()), Some(40.0.into()))
    );
    let old = told("llamacpp:prompt_tokens_total 60\n");
    assert_eq!(old, Err(Unreadable::Unknown), "an old one tells nothing of its cache");
}

#[test]
fn replicas_add_up_and_what_one_does_not_tell_is_absent() {
    let one = "vllm:num_requests_running 2\nvllm:kv_cache_usage_perc 0.5\nvllm:num_preemptions_total 1\n";
    let two = "vllm:num_requests_running 3\nvllm:kv_cache_usage_perc 0.25\n";
    let both = moment([one.as_bytes(), two.as_bytes()], &[]).unwrap();
    let expected = Moment {
        running: Some(5.0),
        kv_used: Some(0.5),
        ..Moment::default()
    };
    assert_eq!(both, expected);
    let dead = moment([one.as_bytes(), b"<html>"], &[]);
    assert_eq!(dead, Err(Unreadable::NoMetrics(NoMetrics::Html)));
    assert_eq!(moment([], &[]), Err(Unreadable::Unknown));
}

#[test]
fn the_room_of_kv_caches_is_told_in_three_ways_and_adds_up_over_engines() {
    let capacity = |page: &str| told(page).map(|moment| moment.kv_capacity_tokens);
    for (page, expected) in [
        (
            "vllm:cache_config_info{kv_cache_size_tokens=\"512\",num_gpu_blocks=\"9\",block_size=\"16\"} 1\n",
            Some(512.0),
        ),
        (
            "vllm:cache_config_info{engine=\"0\",num_gpu_blocks=\"9\",block_size=\"16\"} 1\n\
             vllm:cache_config_info{engine=\"1\",num_gpu_blocks=\"10\",block_size=\"16\"} 1\n",
            Some(304.0),
        ),
        ("sglang:max_total_num_tokens{tp_rank=\"0\"} 4096\n", Some(4096.0)),
        ("tgi_batch_max_total_tokens 133696\ntgi_queue_size 0\n", Some(133_696.0)),
        (
            "trtllm_kv_cache_max_blocks{model_name=\"m\"} 100\ntrtllm_kv_cache_tokens_per_block{model_name=\"m\"} 32\n",
            Some(3200.0),
        ),
        (
            "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"max\"} 100\n\
             nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"tokens_per\"} 64\n",
            Some(6400.0),
        ),
        (
            "vllm:num_requests_running 1\nvllm:cache_config_info{num_gpu_blocks=\"None\",block_size=\"16\"} 1\n",
            None,
        ),
    ] {
        assert_eq!(capacity(page), Ok(expected), "{page}");
    }
}

#[test]
fn what_was_asked_for_is_told_by_name_and_absent_where_one_replica_lacks_it() {
    let (one, two) = (
        "custom_depth{a=\"1\"} 2\ncustom_depth{a=\"2\"} 3\nother 1\n",
        "custom_depth 4\n",
    );
    let asked = ["custom_depth", "other"];
    let sums = |pages: &[&str]| {
        let told = moment(pages.iter().map(|page| page.as_bytes()), &asked).unwrap().told;
        told.iter()
            .map(|(name, count)| (*name, count.sum()))
            .collect::<Vec<_>>()
    };
    assert_eq!(sums(&[one]), [("custom_depth", 5.0), ("other", 1.0)]);
    assert_eq!(sums(&[one, two]), [("custom_depth", 9.0)]);
    // A part that is no number makes the sum none; below zero is a number.
    assert_eq!(
        sums(&["custom_depth{a=\"1\"} 2\ncustom_depth{a=\"2\"} NaN\nother 1\n"]),
        [("other", 1.0)]
    );
    assert_eq!(sums(&["custom_depth +Inf\nother 1\n"]), [("other", 1.0)]);
    assert_eq!(
        sums(&["custom_depth{a=\"1\"} 2\ncustom_depth{a=\"2\"} -3.5\n"]),
        [("custom_depth", -1.5)]
    );
    assert_eq!(moment([one.as_bytes()], &[]), Err(Unreadable::Unknown));
}

#[test]
fn of_engines_behind_one_page_one_that_tells_no_number_makes_the_figure_none() {
    let page = "vllm:num_requests_running{engine=\"0\"} 3\nvllm:num_requests_running{engine=\"1\"} NaN\n\
                vllm:num_preemptions_total{engine=\"0\"} 3\nvllm:num_preemptions_total{engine=\"1\"} -1\n\
                vllm:kv_cache_usage_perc{engine=\"0\"} 0.5\nvllm:kv_cache_usage_perc{engine=\"1\"} +Inf\n\
                vllm:gpu_cache_usage_perc 0.2\nvllm:num_requests_waiting 1\n";
    let expected = Moment {
        waiting: Some(1.0),
        ..Moment::default()
    };
    assert_eq!(told(page), Ok(expected));
}

#[test]
fn pages_of_real_engines_are_read_whole() {
    let all = |tokens: f64, hits: f64| (Some(tokens), Some(hits));
    for folder in ["tests/data/engine", "../shared/data/engine"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        if !folder.exists() {
            eprintln!("skipped: there is no {}", folder.display());
            continue;
        }
        for (name, kv_used, preemptions, prefix, capacity) in [
            (
                "vllm-0.32.0.metrics.txt",
                Some(0.0),
                Some(0.0),
                all(31274.0, 128.0),
                Some(524_288.0),
            ),
            (
                "llama-server.metrics.txt",
                None,
                None,
                all(6589.0 + 3290.0, 3290.0),
                None,
            ),
        ] {
            let page = fs::read(folder.join(name)).unwrap();
            let moment = moment([page.as_slice()], &[]).unwrap();
            let counts = moment.counts;
            assert_eq!((moment.running, moment.waiting), (Some(0.0), Some(0.0)), "{name}");
            let sum = |count: &Option<Count>| count.as_ref().map(Count::sum);
            assert_eq!(
                (moment.kv_used, sum(&counts.preemptions)),
                (kv_used, preemptions),
                "{name}"
            );
            assert_eq!(
                (sum(&counts.prefix_queries), sum(&counts.prefix_hits)),
                prefix,
                "{name}"
            );
            assert_eq!(moment.kv_capacity_tokens, capacity, "{name}");
            let mut samples = 0;
            prometheus::read(&page, |_| samples += 1).unwrap();
            let text = String::from_utf8(page).unwrap();
            let written = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            assert_eq!(samples, written.count(), "{name}");
        }
    }
}
