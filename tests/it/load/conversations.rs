//! Conversations: the model's real answers go back to it, and a failed turn takes the rest with it.

use std::time::Duration;

use perfgate::{
    plan::{Api, Arrivals, Conversation, Lengths, Load, Plan, Prompts, Spread, ThinkTime},
    session::Run,
};
use serde_json::Value;

use super::{
    class, measure, plan,
    server::{Act, DONE, FINISH, ROLE, Server, chunk, end, good_answers, stream_head, token, whole},
};

const MS: u64 = 1_000_000;

/// Conversations of three turns with a pause of 30 ms.
fn talking(url: &str, requests: u32, load: Load) -> Plan {
    let mut plan = Plan {
        loads: vec![load],
        ..plan(url, requests)
    };
    plan.workload.conversation = Some(Conversation {
        turns: Lengths::Fixed(3),
        think_time: ThinkTime::Fixed(Duration::from_millis(30)),
    });
    plan
}

/// Answers that say which they are, the reasoning before them left aside.
fn numbered_answers(count: usize) -> Vec<Act> {
    let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let body = |number: usize| {
        let words = [token("answer "), token(&format!("\\\"{number}\\\""))].concat();
        [ROLE, thought, &words, FINISH, DONE].concat()
    };
    (0..count)
        .flat_map(|number| [Act::Request, stream_head(), chunk(body(number)), end()])
        .collect()
}

fn places(run: &Run) -> Vec<(u32, u32)> {
    let turns = run.requests.iter().map(|record| record.turn.unwrap());
    turns.map(|turn| (turn.conversation, turn.turn)).collect()
}

fn open(rate_rps: f64) -> Load {
    Load::Rate {
        rate_rps,
        arrivals: Arrivals::Constant,
    }
}

#[test]
fn a_turn_holds_all_earlier_ones_with_the_model_s_real_answers() {
    let server = Server::of(numbered_answers(10));
    let run = measure(&talking(&server.url, 7, Load::Concurrency(1)));
    assert!(
        run.requests.iter().all(|record| class(record).0 == "completed"),
        "{run:?}"
    );
    assert_eq!(places(&run), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]);
    let bodies: Vec<Value> = server
        .seen()
        .iter()
        .map(|seen| serde_json::from_str(&seen.body).unwrap())
        .collect();
    let messages = |at: usize| bodies[at]["messages"].as_array().unwrap().clone();
    assert_eq!([0, 1, 2, 3].map(|at| messages(at).len()), [1, 3, 5, 1]);
    let third = messages(2);
    assert_eq!(third[..3], messages(1)[..], "a turn goes on where the one before ended");
    assert_eq!(third[1]["content"], "answer \"0\"");
    assert_eq!(third[3]["content"], "answer \"1\"");
    assert_ne!(third[0]["content"], third[2]["content"]);
    for pair in run.requests.windows(2).filter(|pair| pair[1].turn.unwrap().turn > 0) {
        assert!(
            pair[1].sent_ns >= pair[0].end_ns + 30 * MS,
            "no time to think: {pair:?}"
        );
    }
}

#[test]
fn a_conversation_begins_with_the_prefix_of_its_group_and_repeats_none() {
    let server = Server::of(good_answers(24));
    let mut plan = talking(&server.url, 12, Load::Concurrency(1));
    plan.workload.conversation.as_mut().unwrap().think_time = ThinkTime::Fixed(Duration::ZERO);
    plan.workload.prompts = Prompts::SharedPrefix {
        groups: 2,
        prefix_tokens: Lengths::Fixed(30),
        input_tokens: Lengths::Fixed(10),
        prompts_per_group: Some(1),
    };
    let run = measure(&plan);
    assert!(
        run.requests.iter().all(|record| class(record).0 == "completed"),
        "{run:?}"
    );
    let seen = server.seen();
    let talks: Vec<Value> = seen
        .iter()
        .map(|seen| serde_json::from_str(&seen.body).unwrap())
        .collect();
    let said = |turn: &Value| -> Vec<String> {
        let messages = turn["messages"].as_array().unwrap().iter();
        let users = messages.filter(|message| message["role"] == "user");
        users
            .map(|message| message["content"].as_str().unwrap().to_owned())
            .collect()
    };
    let beginning = |text: &str| text.split(' ').take(30).collect::<Vec<_>>().join(" ");
    let mut prefixes = Vec::new();
    // The last turn of each conversation holds all of it.
    for talk in talks.iter().map(said).filter(|talk| talk.len() == 3) {
        let words: Vec<usize> = talk.iter().map(|text| text.split(' ').count()).collect();
        assert_eq!(words, [40, 10, 10], "{talk:?}");
        prefixes.push(beginning(&talk[0]));
    }
    assert_eq!(prefixes.len(), 4);
    assert_ne!(prefixes[0], prefixes[1]);
    assert_eq!(prefixes[..2], prefixes[2..], "one conversation of each group in turn");
}

#[test]
fn all_turns_of_a_conversation_go_to_one_replica() {
    for spread in [Spread::RoundRobin, Spread::Random] {
        let servers = [Server::of(good_answers(60)), Server::of(good_answers(60))];
        let mut plan = talking(&servers[0].url, 60, Load::Concurrency(1));
        plan.target.more_urls = vec![servers[1].url.clone()];
        plan.target.spread = spread;
        plan.workload.conversation.as_mut().unwrap().think_time = ThinkTime::Fixed(Duration::ZERO);
        let run = measure(&plan);
        assert!(
            run.requests.iter().all(|record| class(record).0 == "completed"),
            "{run:?}"
        );
        for server in &servers {
            let messages: Vec<usize> = server
                .seen()
                .iter()
                .map(|seen| seen.body.matches("\"role\"").count())
                .collect();
            assert!(messages.len() >= 9, "{spread:?}: {messages:?}");
            assert!(
                messages.chunks(3).all(|talk| talk == [1, 3, 5]),
                "{spread:?}: {messages:?}"
            );
        }
    }
}

#[test]
fn in_closed_loop_each_user_is_served_to_the_end() {
    let server = Server::of(good_answers(20));
    let run = measure(&talking(&server.url, 12, Load::Concurrency(2)));
    assert_eq!(run.requests.len(), 12);
    let of = |conversation: u32| {
        run.requests
            .iter()
            .filter(move |r| r.turn.unwrap().conversation == conversation)
    };
    for conversation in 2..4 {
        let begun_ns = of(conversation).map(|record| record.sent_ns).min().unwrap();
        let ended = (0..conversation).filter(|other| of(*other).all(|record| record.end_ns <= begun_ns));
        assert!(ended.count() + 2 > conversation as usize, "three users at a time");
    }
}

#[test]
fn in_open_loop_the_rate_is_of_conversations_and_turns_follow_their_answers() {
    let server = Server::of(good_answers(20));
    let run = measure(&talking(&server.url, 9, open(20.0)));
    let firsts: Vec<u64> = run
        .requests
        .iter()
        .filter(|record| record.turn.unwrap().turn == 0)
        .map(|record| record.scheduled_ns.unwrap())
        .collect();
    assert_eq!(firsts, [0, 50 * MS, 100 * MS]);
    for pair in run.requests.windows(2).filter(|pair| pair[1].turn.unwrap().turn > 0) {
        assert_eq!(pair[1].scheduled_ns, Some(pair[0].end_ns + 30 * MS));
        assert!(Some(pair[1].sent_ns) >= pair[1].scheduled_ns);
    }
}

#[test]
fn a_failed_turn_ends_its_conversation_and_the_rest_is_not_lost() {
    let refusal = || vec![Act::Request, whole("500 Internal Server Error", "", "boom")];
    for load in [Load::Concurrency(1), open(5.0)] {
        // In open loop the second conversation may open a connection of its own.
        let server = Server::start(vec![
            [good_answers(1), refusal(), good_answers(9)].concat(),
            good_answers(9),
        ]);
        let run = measure(&talking(&server.url, 6, load));
        let classes: Vec<String> = run.requests.iter().map(|record| class(record).0).collect();
        let expected = [
            "completed",
            "http_500",
            "abandoned",
            "completed",
            "completed",
            "completed",
        ];
        assert_eq!(classes, expected);
        assert_eq!(class(&run.requests[2]).1, "turn 2 of its conversation failed");
        assert_eq!(places(&run)[2], (0, 2));
        assert_eq!(server.seen().len(), 5, "an abandoned turn is not sent");
    }
}

#[test]
fn a_conversation_of_a_dataset_says_what_its_user_said() {
    let folder = tempfile::tempdir().unwrap();
    let talk = |name: &str, turns: usize| {
        let said = (0..turns).flat_map(|turn| {
            [
                serde_json::json!({"from": "human", "value": format!("{name} {turn}")}),
                serde_json::json!({"from": "gpt", "value": "word ".repeat(3 + 3 * turn)}),
            ]
        });
        serde_json::json!({"conversations": said.collect::<Vec<_>>()})
    };
    // One too long, one too short, some in between.
    let talks = [
        talk("long", 5),
        talk("short", 1),
        talk("a", 3),
        talk("b", 3),
        talk("c", 3),
    ];
    let path = folder.path().join("sharegpt.json");
    std::fs::write(&path, serde_json::to_string(&talks).unwrap()).unwrap();
    let server = Server::of(good_answers(30));
    let mut plan = talking(&server.url, 9, Load::Concurrency(1));
    plan.workload.prompts = Prompts::dataset(path.to_str().unwrap());
    let run = measure(&plan);
    assert!(
        run.requests.iter().all(|record| class(record).0 == "completed"),
        "{run:?}"
    );
    let bodies = server
        .seen()
        .into_iter()
        .map(|seen| serde_json::from_str::<Value>(&seen.body).unwrap());
    let mut said: Vec<String> = Vec::new();
    for body in bodies {
        let text = body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        let text = text.as_str().unwrap().to_owned();
        let (_, turn) = text.split_once(' ').unwrap();
        let turn: u64 = turn.parse().unwrap();
        assert_eq!(
            body["max_tokens"],
            4 * (turn + 1),
            "as long as the answer in the file: {body}"
        );
        said.push(text);
    }
    assert_eq!(said.len(), 9);
    for talk in said.chunks(3) {
        let (name, _) = talk[0].split_once(' ').unwrap();
        let expected = [0, 1, 2].map(|turn| format!("{name} {turn}"));
        assert!(name == "short" || talk == expected, "{said:?}");
        assert!(talk[0].ends_with(" 0"), "each begins a row: {said:?}");
    }
    let all: std::collections::BTreeSet<&String> = said.iter().collect();
    assert_eq!(all.len(), 9, "nothing is said twice: {said:?}");
}

#[test]
fn the_system_speaks_only_at_the_beginning_of_a_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let row = |at: u32| {
        serde_json::json!({"messages": [
            {"role": "system", "content": format!("be {at}")},
            {"role": "user", "content": format!("say {at}")},
        ]})
    };
    let path = folder.path().join("log.jsonl");
    let rows: Vec<String> = (0..6).map(|at| row(at).to_string()).collect();
    std::fs::write(&path, rows.join("\n")).unwrap();
    let server = Server::of(good_answers(6));
    let mut plan = talking(&server.url, 6, Load::Concurrency(1));
    plan.workload.prompts = Prompts::dataset(path.to_str().unwrap());
    measure(&plan);
    let seen = server.seen();
    assert_eq!(seen.len(), 6);
    for (at, body) in seen.iter().map(|seen| &seen.body).enumerate() {
        let body: Value = serde_json::from_str(body).unwrap();
        let roles = body["messages"].as_array().unwrap().iter();
        let roles: Vec<&str> = roles.map(|message| message["role"].as_str().unwrap()).collect();
        let expected = ["system", "user", "assistant", "user", "assistant", "user"];
        assert_eq!(roles, expected[..2 + 2 * (at % 3)]);
    }
}

#[test]
fn a_conversation_over_completions_is_one_growing_text() {
    let answer = |text: &str| format!("data: {{\"choices\":[{{\"text\":\"{text}\",\"finish_reason\":\"stop\"}}]}}\n\n");
    let script = ["one", "two"].map(|text| {
        vec![
            Act::Request,
            stream_head(),
            chunk([&answer(text), DONE].concat()),
            end(),
        ]
    });
    let server = Server::of(script.concat());
    let mut plan = talking(&server.url, 2, Load::Concurrency(1));
    plan.target.api = Api::Completions;
    let run = measure(&plan);
    assert!(
        run.requests.iter().all(|record| class(record).0 == "completed"),
        "{run:?}"
    );
    let prompts: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| {
            serde_json::from_str::<Value>(&seen.body).unwrap()["prompt"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        prompts[1].starts_with(&format!("{}\n\none\n\n", prompts[0])),
        "{prompts:?}"
    );
}
