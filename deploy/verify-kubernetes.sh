#!/bin/sh
# Renders deploy/kubernetes and deploy/helm with the real programs, holds the outcome to what the tests render, and asks a Kubernetes API server to accept it.
# Run it from anywhere, after npm install. It installs nothing, and touches no cluster of yours:
#   kustomize, helm      on PATH; kubectl kustomize takes kustomize's place where that is missing
#   kube-apiserver, etcd on PATH, and kubectl: starts both for the time of the check, with nobody behind them that would run a pod
#   PROMETHEUS_CRDS, GATEWAY_API_CRDS   folders with these projects' CRDs; without them their objects are left out
# What is missing is said, and its part left out: the last line says what was checked. `--all` makes anything missing an error.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pids=''
cleanup() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  for pid in $pids; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT INT TERM
checked=''
missing=''
lacks() { missing="$missing $1"; echo "missing: $1" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s\n' "$*"; }

# A copy, so that secrets made for the check never lie in the repository.
mkdir -p "$work/deploy"
cp -R "$root/deploy/kubernetes" "$root/deploy/helm" "$root/deploy/grafana" "$root/deploy/prometheus" "$work/deploy/"
sh "$work/deploy/kubernetes/make-secrets.sh" > "$work/deploy/kubernetes/overlays/small/secrets.env"
kubernetes=$work/deploy/kubernetes
chart=$work/deploy/helm/deja
compare() { "$root/node_modules/.bin/node" --conditions=@deja/source "$root/tests/src/kubernetes/compare.ts" "$@"; }

# Every component at once, as an overlay of an operator's own would name them.
mkdir -p "$kubernetes/overlays/everything"
cp "$kubernetes/overlays/small/namespace.yaml" "$kubernetes/overlays/everything/"
{
  printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: deja\nresources: [../../base, namespace.yaml]\ncomponents:\n'
  for component in "$kubernetes"/components/*/; do printf '  - ../../components/%s\n' "$(basename "$component")"; done
} > "$kubernetes/overlays/everything/kustomization.yaml"
cat > "$work/everything-values.yaml" <<'VALUES'
monitoring: { enabled: true }
tracing: { endpoint: "http://otel-collector.monitoring:4318" }
ingress: { enabled: true }
httpRoute: { enabled: true }
qdrant: { enabled: true }
gateway: { trustedProxies: [10.0.0.0/8], spool: { shared: true }, autoscaling: { inFlight: 100 } }
VALUES

overlays='base overlays/small overlays/production overlays/everything'
if has kustomize; then build='kustomize build'; elif has kubectl; then build='kubectl kustomize'; else build=''; fi
if [ -n "$build" ]; then
  for overlay in $overlays; do
    out=$work/$(basename "$overlay").yaml
    $build "$kubernetes/$overlay" > "$out"
    compare "kustomize:$kubernetes/$overlay" "$out"
    say "$build $overlay: $(grep -c '^kind:' "$out") objects, as the tests render them"
  done
  checked="$checked kustomize"
else
  lacks kustomize
fi

if has helm; then
  # The oldest version that the chart says it is for. Helm tells of the links that it follows; whatever else it says is shown when it fails.
  helm_quietly() { helm "$@" 2> "$work/helm-said" || { cat "$work/helm-said" >&2; exit 1; }; }
  template() { helm_quietly template deja "$chart" --namespace deja --kube-version 1.29.0 "$@"; }
  helm_quietly lint --quiet --strict --kube-version 1.29.0 "$chart"
  for values in values-small.yaml values-production.yaml; do helm_quietly lint --quiet --strict --kube-version 1.29.0 "$chart" --values "$chart/$values"; done
  template > "$work/chart.yaml"
  template --values "$chart/values-small.yaml" > "$work/chart-small.yaml"
  template --values "$chart/values-production.yaml" > "$work/chart-production.yaml"
  template --values "$work/everything-values.yaml" > "$work/chart-everything.yaml"
  compare "$work/chart.yaml" "chart:$chart"
  compare "$work/chart-small.yaml" "chart:$chart:values-small.yaml"
  compare "$work/chart-production.yaml" "chart:$chart:values-production.yaml"
  for pair in chart:base chart-small:small chart-production:production chart-everything:everything; do
    [ ! -f "$work/${pair#*:}.yaml" ] || compare --workloads "$work/${pair%%:*}.yaml" "$work/${pair#*:}.yaml"
  done
  if (template --set gateway.replica=3) > "$work/refused" 2>&1; then say 'helm accepted a misspelt value' >&2; exit 1; fi
  helm_quietly package "$chart" --destination "$work" > /dev/null
  helm_quietly template deja "$work"/deja-*.tgz --namespace deja --kube-version 1.29.0 --values "$chart/values-production.yaml" > "$work/packaged.yaml"
  compare "$work/packaged.yaml" "$work/chart-production.yaml"
  say "helm: lint, template and package; the chart is what the kustomizations are"
  checked="$checked helm"
else
  lacks helm
fi

# An API server of our own, with admission as by default and PodSecurity as the namespace asks for it.
start_api_server() {
  port=$(free_port); etcd_port=$(free_port); peer_port=$(free_port)
  etcd --data-dir "$work/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
    --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" --initial-cluster "default=http://127.0.0.1:$peer_port" > "$work/etcd.log" 2>&1 &
  pids="$pids $!"
  openssl genrsa -out "$work/account.key" 2048 2>/dev/null
  token=$(openssl rand -hex 16)
  echo "$token,admin,admin,system:masters" > "$work/tokens"
  kube-apiserver --etcd-servers "http://127.0.0.1:$etcd_port" --secure-port "$port" --bind-address 127.0.0.1 --endpoint-reconciler-type none --cert-dir "$work/certificates" \
    --service-account-key-file "$work/account.key" --service-account-signing-key-file "$work/account.key" --service-account-issuer https://deja.test \
    --token-auth-file "$work/tokens" --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 \
    --disable-admission-plugins ServiceAccount > "$work/apiserver.log" 2>&1 &
  server=$!
  pids="$pids $server"
  kube() { kubectl --kubeconfig /dev/null --server "https://127.0.0.1:$port" --insecure-skip-tls-verify --token "$token" "$@"; }
  for _ in $(seq 1 240); do
    if kube get --raw /readyz >/dev/null 2>&1; then return; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 1
  done
  tail -20 "$work/apiserver.log" >&2
  say 'the API server did not become ready' >&2
  exit 1
}
free_port() { "$root/node_modules/.bin/node" -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }

# Objects of kinds that this server does not know are left out, and named.
known_kinds() { "$root/node_modules/.bin/node" --conditions=@deja/source "$root/tests/src/kubernetes/leave-out.ts" "$@"; }

if has kube-apiserver && has etcd && has kubectl && [ -n "$build" ]; then
  start_api_server
  say "API server $(kube version 2>/dev/null | sed -n 's/^Server Version: //p') is up"
  left=''
  if [ -n "${PROMETHEUS_CRDS:-}" ]; then kube apply --server-side -f "$PROMETHEUS_CRDS" >/dev/null; else left="$left ServiceMonitor PrometheusRule"; lacks 'PROMETHEUS_CRDS (ServiceMonitor, PrometheusRule)'; fi
  if [ -n "${GATEWAY_API_CRDS:-}" ]; then kube apply --server-side -f "$GATEWAY_API_CRDS" >/dev/null; else left="$left HTTPRoute"; lacks 'GATEWAY_API_CRDS (HTTPRoute)'; fi
  if [ -n "${PROMETHEUS_CRDS:-}${GATEWAY_API_CRDS:-}" ]; then kube wait --for=condition=Established crd --all --timeout=60s >/dev/null; fi
  accept() {
    name=$1; file=$2
    # shellcheck disable=SC2086 # each word is a kind
    known_kinds "$file" $left > "$work/known.yaml"
    kube create namespace deja --dry-run=client -o yaml | kube apply --server-side -f - >/dev/null
    kube label namespace deja pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/warn=restricted --overwrite >/dev/null
    kube -n deja apply --server-side --force-conflicts --validate=strict -f "$work/known.yaml" > "$work/applied" 2> "$work/said"
    if grep -i 'warning' "$work/said" >&2; then say "$name: the API server warns" >&2; exit 1; fi
    # A workload's pods meet PodSecurity only when somebody makes them, and here nobody does.
    known_kinds --pods "$work/known.yaml" > "$work/pods.yaml"
    kube -n deja apply --server-side --force-conflicts --validate=strict -f "$work/pods.yaml" > "$work/applied-pods" 2>&1 || { cat "$work/applied-pods" >&2; exit 1; }
    say "$name: $(grep -c 'serverside-applied' "$work/applied") objects and $(grep -c 'serverside-applied' "$work/applied-pods") pods accepted"
    # Once more: what cannot be changed must not be changed by applying the same again.
    kube -n deja apply --server-side --force-conflicts --validate=strict -f "$work/known.yaml" >/dev/null
    # Without controllers nobody takes away what a namespace holds: one kind after another.
    kube -n deja delete deployments,statefulsets,services,configmaps,secrets,serviceaccounts,hpa,pdb,networkpolicies,ingresses,pvc,pods --all --force --grace-period=0 --wait=false >/dev/null 2>&1
    for claim in $(kube -n deja get pvc -o name); do kube -n deja patch "$claim" --type merge -p '{"metadata":{"finalizers":null}}' >/dev/null; done
  }
  for overlay in $overlays; do accept "$build $overlay" "$work/$(basename "$overlay").yaml"; done
  if has helm; then for one in chart chart-small chart-production chart-everything; do accept "helm template $one" "$work/$one.yaml"; done; fi
  # That the server would say no: a pod as root.
  sed 's/runAsNonRoot: true/runAsNonRoot: false/' "$work/pods.yaml" > "$work/root.yaml"
  if kube -n deja apply --server-side --force-conflicts -f "$work/root.yaml" >/dev/null 2>&1; then say 'the API server accepted a pod that may be root' >&2; exit 1; fi
  say 'a pod that may be root is refused'
  checked="$checked api-server"
else
  has kube-apiserver || lacks kube-apiserver
  has etcd || lacks etcd
  has kubectl || lacks kubectl
fi

say "checked:$checked${missing:+; missing:$missing}"
if [ "${1:-}" = --all ] && [ -n "$missing" ]; then exit 1; fi
