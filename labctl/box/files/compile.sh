#!/bin/bash
# usage: compile.sh ROOT ORIG_TARBALL FILES OUT VERSION MEMORY
# Compiles Kubernetes from Debian's source package with the compilers in ROOT (an unpacked Debian 12), and our two small
# programs from FILES. MEMORY is "plenty" where source and cache may live on a tmpfs and Go's collector may be lazy.
# Runs inside in-namespace.sh: what it mounts goes away with it.
set -euo pipefail
root=$1 orig=$2 files=$3 out=$4 version=$5 memory=$6
work=$root/build
kubernetes=$work/go/src/k8s.io/kubernetes
collector=100

in_root() {
    env -i PATH=/usr/sbin:/usr/bin:/bin HOME=/build GOPATH=/build/go GO111MODULE=off CGO_ENABLED=0 GOFLAGS= GOGC="$collector" \
        GOCACHE=/build/cache GOTMPDIR=/build/tmp TMPDIR=/build/tmp chroot "$root" "$@"
}

in_kubernetes() { in_root /usr/bin/env -C /build/go/src/k8s.io/kubernetes "$@"; }

say() { echo "== $*"; }

prepare() {
    rm -rf "$work"
    mkdir -p "$work" "$root/proc" "$root/dev"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    if [ "$memory" = plenty ]; then
        mount -t tmpfs -o mode=755,size=90% tmpfs "$work"
        collector=400
    fi
    mkdir -p "$kubernetes" "$work/cache" "$work/tmp" "$work/out"
}

# What no binary needs is not even unpacked. reflect2 1.0.1 panics under Go >= 1.18, so Debian's own 1.0.2 takes its place.
unpack() {
    say "unpacking the source"
    tar -C "$kubernetes" -xzf "$orig" --strip-components=1 --no-same-owner --anchored --exclude='*_test.go' \
        --no-wildcards-match-slash --exclude='*/test' --exclude='*/cluster' --exclude='*/CHANGELOG' \
        --exclude='*/api/openapi-spec'
    local reflect2=vendor/github.com/modern-go/reflect2
    rm -rf "${kubernetes:?}/$reflect2"
    cp -r "$root/usr/share/gocode/src/github.com/modern-go/reflect2" "$kubernetes/$reflect2"
    rm -f "$kubernetes/$reflect2"/*_test.go
}

small_programs() {
    say "compiling pause and echo-server"
    cp "$files/pause.c" "$files/echo-server.go" "$work/"
    in_root gcc -O2 -static -s -o /build/out/pause /build/pause.c
    in_root go build -ldflags '-s -w' -o /build/out/echo-server /build/echo-server.go
}

# The packages whose types the API server describes in its OpenAPI document, by their import paths.
openapi_packages() {
    local mark='^// \+k8s:openapi-gen=true'
    grep -rlE "$mark" staging/src/k8s.io --include='*.go' | sed 's#/[^/]*$##' | sort -u |
        grep -vE 'sample-|code-generator|generators|examples' | sed 's#^staging/src/#k8s.io/kubernetes/vendor/#'
    grep -rlE "$mark" pkg --include='*.go' | sed 's#/[^/]*$##' | sort -u | sed 's#^#k8s.io/kubernetes/#'
}

openapi() {
    say "generating the OpenAPI types"
    local package inputs=() generated=$kubernetes/pkg/generated/openapi/zz_generated.openapi.go
    while read -r package; do inputs+=(-i "$package"); done < <(cd "$kubernetes" && openapi_packages)
    in_kubernetes go build -o /build/openapi-gen ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    in_kubernetes /build/openapi-gen -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt \
        -p k8s.io/kubernetes/pkg/generated/openapi --logtostderr -r /dev/null "${inputs[@]}" -o /build/go/src
    sed -i 's#k8s.io/kubernetes/vendor/##' "$generated"
}

linker_flags() {
    local package major minor flags="-s -w"
    IFS=. read -r major minor _ <<<"$version"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        package=k8s.io/kubernetes/vendor/$package
        flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
    done
    echo "$flags"
}

kubernetes() {
    say "compiling Kubernetes $version"
    in_kubernetes go build -v -tags "providerless dockerless" -ldflags "$(linker_flags)" -o /build/out/ \
        ./cmd/{kubeadm,kubectl,kubelet,kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy}
}

prepare
unpack
small_programs
openapi
kubernetes
say "keeping the binaries"
cp "$work"/out/* "$out/"
