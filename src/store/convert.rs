//! Between a session and its file, both ways; what the file leaves out gets its stated meaning here.

use super::session_file::{
    CellFile, EndedFile, EnvironmentFile, FailureFile, GpuFile, RequestFile, RunFile, SESSION_SCHEMA, SessionFile,
    TokensFromFile, WarmupFile,
};
use crate::{
    plan::Plan,
    session::{
        CellRuns, Ended, Environment, Failure, GapCounts, GpuUse, Outcome, RequestRecord, Run, Session, TokensFrom,
        Warmup, WarmupEnd,
    },
};

impl From<&Session> for SessionFile {
    fn from(session: &Session) -> Self {
        Self {
            schema: SESSION_SCHEMA.into(),
            tool_version: session.tool_version.clone(),
            started_unix_s: session.started_unix_s,
            commit: session.commit.clone(),
            definitions: session.definitions.clone(),
            plan: (&session.plan).into(),
            environment: (&session.environment).into(),
            cells: session.cells.iter().map(CellFile::from).collect(),
            ended: (&session.ended).into(),
            notes: session.notes.clone(),
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
            definitions: file.definitions,
            plan,
            environment: file.environment.into(),
            ended: file.ended.into(),
            notes: file.notes,
        }
    }
}

impl From<&Environment> for EnvironmentFile {
    fn from(environment: &Environment) -> Self {
        let environment = environment.clone();
        Self {
            engine_name: environment.engine_name,
            engine_version: environment.engine_version,
            model: environment.model,
            gpus: environment.gpus,
            gpu_driver: environment.gpu_driver,
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
            model: file.model,
            gpus: file.gpus,
            gpu_driver: file.gpu_driver,
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
            load: cell.load.clone().into(),
            runs: cell.runs.iter().map(RunFile::from).collect(),
        }
    }
}

fn cell_runs(file: CellFile, plan: &Plan, started_unix_s: u64) -> CellRuns {
    let load = file.load.into();
    let runs = (0_u32..).zip(file.runs);
    CellRuns {
        name: file.name.unwrap_or_else(|| plan.cell_name(&load)),
        load,
        runs: runs.map(|(place, run)| run_at(place, run, started_unix_s)).collect(),
    }
}

impl From<&Run> for RunFile {
    fn from(run: &Run) -> Self {
        let requests = (0_u32..).zip(&run.requests);
        Self {
            repeat: Some(run.repeat),
            started_unix_s: Some(run.started_unix_s),
            requests: requests.map(|(place, record)| request_file(place, record)).collect(),
            itl: run.itl.bins.clone(),
            warmup: WarmupFile {
                requests: run.warmup.requests,
                failed: run.warmup.failed,
            },
            replaced_connections: run.replaced_connections,
            gpu: (&run.gpu).into(),
            cut_short: run.cut_short.clone(),
        }
    }
}

fn run_at(place: u32, file: RunFile, session_started_unix_s: u64) -> Run {
    let requests = (0_u32..).zip(file.requests);
    Run {
        repeat: file.repeat.unwrap_or(place),
        started_unix_s: file.started_unix_s.unwrap_or(session_started_unix_s),
        requests: requests.map(|(place, request)| request_at(place, request)).collect(),
        itl: GapCounts { bins: file.itl },
        warmup: Warmup {
            requests: file.warmup.requests,
            failed: file.warmup.failed,
            end: WarmupEnd::default(),
        },
        replaced_connections: file.replaced_connections,
        gpu: file.gpu.into(),
        cut_short: file.cut_short,
        ..Run::default()
    }
}

fn request_file(place: u32, record: &RequestRecord) -> RequestFile {
    RequestFile {
        index: (record.index != place).then_some(record.index),
        scheduled_ns: record.scheduled_ns,
        sent_ns: record.sent_ns,
        first_token_ns: record.first_token_ns,
        last_token_ns: record.last_token_ns,
        end_ns: record.end_ns,
        input_tokens: record.input_tokens,
        output_tokens: record.output_tokens,
        chunks: (record.chunks != record.output_tokens.unwrap_or(0)).then_some(record.chunks),
        tokens_from: match record.tokens_from {
            TokensFrom::Usage => TokensFromFile::Usage,
            TokensFrom::Chunks => TokensFromFile::Chunks,
        },
        outcome: match &record.outcome {
            Outcome::Completed => None,
            Outcome::Failed(failure) => Some(Box::new(FailureFile {
                class: failure.class,
                message: failure.message.clone(),
            })),
        },
    }
}

fn request_at(place: u32, file: RequestFile) -> RequestRecord {
    RequestRecord {
        index: file.index.unwrap_or(place),
        scheduled_ns: file.scheduled_ns,
        sent_ns: file.sent_ns,
        first_token_ns: file.first_token_ns,
        last_token_ns: file.last_token_ns,
        end_ns: file.end_ns,
        input_tokens: file.input_tokens,
        output_tokens: file.output_tokens,
        chunks: file.chunks.or(file.output_tokens).unwrap_or(0),
        tokens_from: match file.tokens_from {
            TokensFromFile::Usage => TokensFrom::Usage,
            TokensFromFile::Chunks => TokensFrom::Chunks,
        },
        outcome: match file.outcome {
            None => Outcome::Completed,
            Some(failure) => Outcome::Failed(Failure {
                class: failure.class,
                message: failure.message,
            }),
        },
        ..RequestRecord::default()
    }
}

impl From<&GpuUse> for GpuFile {
    fn from(gpu: &GpuUse) -> Self {
        match gpu {
            GpuUse::Measured {
                memory_peak_bytes,
                utilization_mean_pct,
                samples,
            } => Self::Measured {
                memory_peak_bytes: *memory_peak_bytes,
                utilization_mean_pct: *utilization_mean_pct,
                samples: *samples,
            },
            GpuUse::NotMeasured(reason) => Self::NotMeasured(reason.clone()),
        }
    }
}

impl From<GpuFile> for GpuUse {
    fn from(file: GpuFile) -> Self {
        match file {
            GpuFile::Measured {
                memory_peak_bytes,
                utilization_mean_pct,
                samples,
            } => Self::Measured {
                memory_peak_bytes,
                utilization_mean_pct,
                samples,
            },
            GpuFile::NotMeasured(reason) => Self::NotMeasured(reason),
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
