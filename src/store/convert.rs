//! Between a session and its file, both ways; what the file leaves out gets its stated meaning here.

use super::{
    pairing_file::BlockEntry,
    request_file::Records,
    run_file::{ClientEntry, RunFile, SearchFile, ShardStartEntry, StepEntry},
    session_file::{CellFile, EndedFile, EnvironmentFile, OriginEntry, SESSION_SCHEMA, SessionFile},
};
use crate::{
    plan::Plan,
    session::{CellRuns, Ended, Environment, GapCounts, Run, Search, Session},
};

impl From<&Session> for SessionFile {
    fn from(session: &Session) -> Self {
        Self {
            schema: SESSION_SCHEMA.into(),
            tool_version: session.tool_version.clone(),
            started_unix_s: session.started_unix_s,
            commit: session.commit.clone(),
            origin: session.origin.clone().map(OriginEntry),
            definitions: session.definitions.clone(),
            plan: (&session.plan).into(),
            environment: (&session.environment).into(),
            cells: session.cells.iter().map(CellFile::from).collect(),
            ended: (&session.ended).into(),
            notes: session.notes.clone(),
            selftest: session.selftest.as_ref().map(Into::into),
            pairing: session.pairing.as_ref().map(Into::into),
        }
    }
}

impl From<SessionFile> for Session {
    fn from(file: SessionFile) -> Self {
        let plan = Plan::from(file.plan);
        let started_unix_s = file.started_unix_s;
        let cells = file.cells.into_iter();
        Self {
            cells: cells.map(|cell| cell_runs(cell, &plan, started_unix_s)).collect(),
            tool_version: file.tool_version,
            started_unix_s,
            commit: file.commit,
            origin: file.origin.map(|entry| entry.0),
            definitions: file.definitions,
            plan,
            environment: file.environment.into(),
            ended: file.ended.into(),
            notes: file.notes,
            selftest: file.selftest.map(Into::into),
            pairing: file.pairing.map(Into::into),
        }
    }
}

impl From<&Environment> for EnvironmentFile {
    fn from(environment: &Environment) -> Self {
        let environment = environment.clone();
        Self {
            engine_name: environment.engine_name,
            engine_version: environment.engine_version,
            engine_facts: environment.engine_facts,
            model: environment.model,
            gpus: environment.gpus,
            gpu_driver: environment.gpu_driver,
            gpu_cuda: environment.gpu_cuda,
            cpu: environment.cpu,
            cpu_cores: environment.cpu_cores,
            os: environment.os,
        }
    }
}

impl From<EnvironmentFile> for Environment {
    fn from(file: EnvironmentFile) -> Self {
        Self {
            engine_name: file.engine_name,
            engine_version: file.engine_version,
            engine_facts: file.engine_facts,
            model: file.model,
            gpus: file.gpus,
            gpu_driver: file.gpu_driver,
            gpu_cuda: file.gpu_cuda,
            cpu: file.cpu,
            cpu_cores: file.cpu_cores,
            os: file.os,
        }
    }
}

impl From<&CellRuns> for CellFile {
    fn from(cell: &CellRuns) -> Self {
        Self {
            name: Some(cell.name.clone()),
            load: cell.load.clone(),
            schedule_sha256: cell.schedule_sha256.clone(),
            runs: cell.runs.iter().map(RunFile::from).collect(),
            skipped: cell.skipped.clone(),
        }
    }
}

fn cell_runs(file: CellFile, plan: &Plan, started_unix_s: u64) -> CellRuns {
    let runs = (0_u32..).zip(file.runs);
    CellRuns {
        name: file.name.unwrap_or_else(|| plan.cell_name(&file.load)),
        load: file.load,
        schedule_sha256: file.schedule_sha256,
        runs: runs.map(|(place, run)| run_at(place, run, started_unix_s)).collect(),
        skipped: file.skipped,
    }
}

impl From<&Run> for RunFile {
    fn from(run: &Run) -> Self {
        Self {
            repeat: Some(run.repeat),
            started_unix_s: Some(run.started_unix_s),
            requests: Records(run.requests.clone()),
            itl: run.itl.bins.clone(),
            itl_by_stage: run.itl_by_stage.iter().map(|gaps| gaps.bins.clone()).collect(),
            warmup: run.warmup,
            replaced_connections: run.replaced_connections,
            gpu: run.gpu.clone(),
            telemetry: (&run.telemetry).into(),
            blocks: run.blocks.iter().copied().map(BlockEntry).collect(),
            host: run.host.clone(),
            client: run.client.map(ClientEntry),
            cache_reset: run.cache_reset.clone(),
            search: run.search.as_ref().map(SearchFile::from),
            stated: run.stated.as_deref().map(|stated| Box::new(stated.into())),
            cut_short: run.cut_short.clone(),
            server_died: run.server_died,
            startup_s: run.startup_s,
            first_start: run.first_start,
            shard: run.shard.map(ShardStartEntry),
        }
    }
}

fn run_at(place: u32, file: RunFile, session_started_unix_s: u64) -> Run {
    Run {
        repeat: file.repeat.unwrap_or(place),
        started_unix_s: file.started_unix_s.unwrap_or(session_started_unix_s),
        requests: file.requests.0,
        itl: GapCounts { bins: file.itl },
        itl_by_stage: file.itl_by_stage.into_iter().map(|bins| GapCounts { bins }).collect(),
        warmup: file.warmup,
        replaced_connections: file.replaced_connections,
        gpu: file.gpu,
        telemetry: file.telemetry.into(),
        blocks: file.blocks.into_iter().map(|entry| entry.0).collect(),
        host: file.host,
        client: file.client.map(|entry| entry.0),
        cache_reset: file.cache_reset,
        search: file.search.map(Search::from),
        stated: file.stated.map(|stated| Box::new((*stated).into())),
        cut_short: file.cut_short,
        server_died: file.server_died,
        startup_s: file.startup_s,
        first_start: file.first_start,
        shard: file.shard.map(|entry| entry.0),
    }
}

impl From<&Search> for SearchFile {
    fn from(search: &Search) -> Self {
        Self {
            end: search.end,
            steps: search.steps.iter().cloned().map(StepEntry).collect(),
        }
    }
}

impl From<SearchFile> for Search {
    fn from(file: SearchFile) -> Self {
        Self {
            end: file.end,
            steps: file.steps.into_iter().map(|entry| entry.0).collect(),
        }
    }
}

impl From<&Ended> for EndedFile {
    fn from(ended: &Ended) -> Self {
        match ended {
            Ended::Complete => Self::Complete,
            Ended::Interrupted => Self::Interrupted,
            Ended::Aborted(reason) => Self::Aborted(reason.clone()),
        }
    }
}

impl From<EndedFile> for Ended {
    fn from(file: EndedFile) -> Self {
        match file {
            EndedFile::Complete => Self::Complete,
            EndedFile::Interrupted => Self::Interrupted,
            EndedFile::Aborted(reason) => Self::Aborted(reason),
        }
    }
}
