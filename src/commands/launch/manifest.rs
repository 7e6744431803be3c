//! The objects of a measurement on Kubernetes, as YAML.

use super::{
    LAST_WORDS, Order,
    inputs::Input,
    yaml::{block, list, scalar},
};

/// Where pods see the claim.
pub(super) const CLAIM_FOLDER: &str = "/perfgate";
/// And the plan's files, which they work in.
const PLAN_FOLDER: &str = "/etc/perfgate";

/// A worker. Its shell is the pod's first process, and the only one that is asked to stop.
const WORKER: &str = r#"dir=$1; shift
node=$NODE_NAME
shard=$((JOB_COMPLETION_INDEX + 1))
mark=$dir/meeting/shard$shard.gone
mkdir -p "$dir/meeting"
"$@" --shard auto --meet "$dir/meeting" --output "$dir/shard-$shard.json" >/dev/null &
trap 'kill -TERM $!' TERM INT
wait $!
code=$?
while kill -0 $! 2>/dev/null; do
    wait $!
    code=$?
done
"#;

/// As the strictest of Kubernetes' own standards for pods has them.
const POD_SECURITY: &str = "\
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
";
const CONTAINER_SECURITY: &str = "\
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
";

/// What the objects are made of.
#[derive(Clone, Copy)]
pub(super) struct Objects<'a> {
    pub(super) order: &'a Order<'a>,
    /// Of all of them.
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) image: &'a str,
    pub(super) claim: &'a str,
    /// The Secret that has the keys, and the variables that hold them, which are its keys.
    pub(super) secret: &'a str,
    pub(super) keys: &'a [String],
    /// Further variables, as the launcher's own environment has them.
    pub(super) variables: &'a [(String, String)],
    pub(super) inputs: &'a [Input],
    pub(super) cpus: &'a str,
}

impl Objects<'_> {
    /// The folder of the measurement on the claim.
    pub(super) fn folder(&self) -> String {
        format!("{CLAIM_FOLDER}/{}", self.name)
    }

    /// The config map, where there are files, and the job.
    pub(super) fn text(&self) -> String {
        let map = if self.inputs.is_empty() {
            String::new()
        } else {
            format!("{}---\n", self.config_map())
        };
        format!("{map}{}", self.job())
    }

    fn metadata(&self, name: &str) -> String {
        let namespace = self.namespace.map(|namespace| format!("  namespace: {namespace}\n"));
        format!(
            "metadata:\n  name: {name}\n{}  labels:\n    app.kubernetes.io/name: perfgate\n    app.kubernetes.io/instance: {}\n",
            namespace.unwrap_or_default(),
            self.name
        )
    }

    fn config_map(&self) -> String {
        let entry = |(place, input): (usize, &Input)| format!("  file-{place}:{}", block(&input.text, 4));
        let entries: Vec<String> = self.inputs.iter().enumerate().map(entry).collect();
        format!(
            "apiVersion: v1\nkind: ConfigMap\n{}data:\n{}",
            self.metadata(self.name),
            entries.concat()
        )
    }

    fn job(&self) -> String {
        let (shards, name) = (self.order.shards, self.name);
        format!(
            "\
apiVersion: batch/v1
kind: Job
{metadata}spec:
  # One pod for each shard, all at the same time; none begins anew, as the others would have gone on without it.
  completionMode: Indexed
  completions: {shards}
  parallelism: {shards}
  backoffLimitPerIndex: 0
  maxFailedIndexes: {shards}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: perfgate
        app.kubernetes.io/instance: {name}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
{security}      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/instance: {name}
      containers:
{container}      volumes:
{volumes}",
            metadata = self.metadata(name),
            security = indented(POD_SECURITY, 6),
            container = self.container(),
            volumes = self.volumes(),
        )
    }

    fn container(&self) -> String {
        let shards = self.order.shards;
        let mut words: Vec<String> = ["worker", &self.folder(), "perfgate", "run"]
            .map(str::to_owned)
            .to_vec();
        words.extend(self.order.words.iter().map(|word| unexpanded(word)));
        let (work, mount) = if self.inputs.is_empty() {
            (String::new(), String::new())
        } else {
            (
                format!("          workingDir: {PLAN_FOLDER}\n"),
                format!(
                    "            - name: plan\n              mountPath: {PLAN_FOLDER}\n              readOnly: true\n"
                ),
            )
        };
        format!(
            "        - name: perfgate
          image: {image}
{work}          command: [sh, -c]
          args:
            -{worker}{words}          env:
            - name: PERFGATE_SHARDS
              value: \"{shards}\"
            - name: NODE_NAME
              valueFrom:
                fieldRef:
                  fieldPath: spec.nodeName
{env}          resources:
            requests:
              cpu: {cpus}
{security}          volumeMounts:
            - name: shared
              mountPath: {CLAIM_FOLDER}
{mount}",
            image = scalar(self.image),
            worker = block(&format!("{WORKER}{LAST_WORDS}"), 14),
            words = list(&words, 12),
            env = self.env(),
            cpus = scalar(self.cpus),
            security = indented(CONTAINER_SECURITY, 10),
        )
    }

    fn volumes(&self) -> String {
        let claim = format!(
            "        - name: shared\n          persistentVolumeClaim:\n            claimName: {}\n",
            self.claim
        );
        if self.inputs.is_empty() {
            return claim;
        }
        let (name, items) = (self.name, self.items());
        format!(
            "{claim}        - name: plan\n          configMap:\n            name: {name}\n            items:\n{items}"
        )
    }

    fn items(&self) -> String {
        let item = |(place, input): (usize, &Input)| {
            format!(
                "              - key: file-{place}\n                path: {}\n",
                scalar(&input.path)
            )
        };
        let items: Vec<String> = self.inputs.iter().enumerate().map(item).collect();
        items.concat()
    }

    fn env(&self) -> String {
        let key = |variable: &String| {
            format!(
                "            - name: {variable}\n              valueFrom:\n                secretKeyRef:\n                  name: {}\n                  key: {variable}\n",
                self.secret
            )
        };
        let plain = |(name, value): &(String, String)| {
            format!(
                "            - name: {name}\n              value: {}\n",
                scalar(&unexpanded(value))
            )
        };
        let keys = self.keys.iter().map(key);
        let all: Vec<String> = keys.chain(self.variables.iter().map(plain)).collect();
        all.concat()
    }

    /// The name of the pod through which the claim is read.
    pub(super) fn reader_name(&self) -> String {
        format!("{}-reader", self.name)
    }

    /// That pod: workers that are done answer nobody.
    pub(super) fn reader(&self) -> String {
        format!(
            "\
apiVersion: v1
kind: Pod
{metadata}spec:
  restartPolicy: Never
  automountServiceAccountToken: false
{security}  containers:
    - name: reader
      image: {image}
      command: [sleep, \"3600\"]
{container}      volumeMounts:
        - name: shared
          mountPath: {CLAIM_FOLDER}
  volumes:
    - name: shared
      persistentVolumeClaim:
        claimName: {claim}
",
            metadata = self.metadata(&self.reader_name()),
            security = indented(POD_SECURITY, 2),
            image = scalar(self.image),
            container = indented(CONTAINER_SECURITY, 6),
            claim = self.claim,
        )
    }
}

/// Kubernetes puts variables in the place of `$(NAME)`, wherever it stands.
fn unexpanded(text: &str) -> String {
    text.replace('$', "$$")
}

fn indented(text: &str, indent: usize) -> String {
    let lines = text.lines().map(|line| format!("{:indent$}{line}\n", ""));
    lines.collect::<Vec<_>>().concat()
}
