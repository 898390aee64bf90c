# labctl on a fresh Debian machine: `make demo` shows it, `make test` tests it. Each installs what it needs first, says so,
# and may be run again at any time. As another user than root it asks sudo where root is needed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PACKAGES := vagrant vagrant-lxc lxc mmdebstrap nftables iproute2 python3-venv openssh-client curl ca-certificates gpg
VM_PACKAGES := vagrant-libvirt libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils grub-pc-bin dnsmasq-base tini
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
PIP := .venv/bin/pip install --quiet --disable-pip-version-check --retries 10 --timeout 60
LABCTL := .venv/bin/labctl -C demo

# What the tests use beside labctl: BIRD, HAProxy and CNI plugins of their own, in .venv/tools.
TOOLS := $(CURDIR)/.venv/tools
LIBRARIES = $(TOOLS)/usr/lib/$(shell uname -m)-linux-gnu
WITH_TOOLS = env PATH="$(CURDIR)/.venv/bin:$(TOOLS)/usr/sbin:$$PATH:/usr/sbin:/sbin" LD_LIBRARY_PATH="$(LIBRARIES)" \
  CNI_PATH="$(TOOLS)/usr/lib/cni"

.PHONY: help demo test lint unit lab lab-more test-upstream test-vm test-vm-lxc test-vm-debian13 test-vm-virtualbox host performance reliability docs clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand --tabs=16

demo: .venv/labctl ## bring up the article's lab in demo/, check it and show the application's answer
	@mkdir -p demo
	$(LABCTL) up
	$(LABCTL) verify
	read -r address name _ < <($(LABCTL) hosts)
	for _ in 1 2 3 4 5; do
	  echo "http://$$name/ → $$(curl --silent --show-error --max-time 5 --header "Host: $$name" "http://$$address/" | head -n 1)"
	done
	echo "$$WHAT_NEXT"

define WHAT_NEXT

The lab is up. What to try next:
  cd demo; export PATH="$(CURDIR)/.venv/bin:$$PATH"
  labctl status
  labctl kubectl get pods -A -o wide
  labctl kubectl scale deployment app --replicas=8
  labctl calicoctl node status
  labctl birdc ingress show protocols
  labctl ssh ingress -- ip route
  curl -H 'Host: test.local' http://192.168.50.21/
To remove it from this machine: labctl destroy
endef
export WHAT_NEXT

# The page of `labctl watch` is tested in a real browser; make test does so, too, where there is one: it is 400 MB to fetch.
lab-more: PACKAGES += chromium chromium-driver

test: .venv/dev .venv/tools ## everything that follows; this is what CI runs
	@$(MAKE) --no-print-directory --keep-going lint unit lab

lint: .venv/dev ## ruff and mypy --strict
	.venv/bin/ruff check .
	.venv/bin/mypy --strict labctl

unit: .venv/dev .venv/tools ## tests that need no lab: a minute
	$(WITH_TOOLS) python -m pytest -n 2 tests/unit

# Container images are fetched into a cache by skopeo.
lint unit lab lab-more: PACKAGES += skopeo

lab: .venv/dev .venv/tools ## tests on a real lab of LXC machines, as root: a quarter of an hour or more, the first time five more
	$(SUDO) $(WITH_TOOLS) python -m pytest -p no:cacheprovider tests/lab

lab-more: .venv/dev .venv/tools ## the tests of lab, and those that take longer: three quarters of an hour
	$(SUDO) env LABCTL_LAB_MORE=1 $(WITH_TOOLS) python -m pytest -p no:cacheprovider tests/lab

# Programs for maintainers: tests/tools.
TOOL := env PYTHONPATH=tests $(CURDIR)/.venv/bin/python -m tools

# At night: kills at random moments, damage, and a lab that lives on; an hour and more each. The figures go to docs/reliability.md.
reliability: .venv/dev .venv/tools ## labctl killed 60 times, its files damaged, then a lab under changes for an hour; as root
	$(SUDO) $(WITH_TOOLS) $(TOOL).kill_trials --trials $(or $(TRIALS),60) --report docs/reliability.md
	$(SUDO) $(WITH_TOOLS) $(TOOL).damage_trials --report docs/reliability.md
	$(SUDO) $(WITH_TOOLS) $(TOOL).long_life --minutes $(or $(MINUTES),60) --report docs/reliability.md

test-upstream: .venv/dev ## everything on a lab with the real programs in FOLDER (labctl cache pull), as root: an hour; see docs/maintaining.md
	$(SUDO) $(TOOL).upstream_trials $(FOLDER) $(STAGES)

test-vm: .venv/dev ## VirtualBox's disk, then four machines of libvirt, emulated in software, as root: half an hour or more
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends $(VM_PACKAGES) >/dev/null
	$(SUDO) env PATH="$(CURDIR)/.venv/bin:$$PATH:/usr/sbin:/sbin" python -m pytest -s -p no:cacheprovider \
	  tests/vm/test_vm_virtualbox_disk.py tests/vm/test_vm_libvirt.py

test-vm-lxc: .venv/dev ## a lab of LXC machines on an emulated Debian 12 with cgroup v2 alone, as root: three quarters of an hour
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends qemu-system-x86 mmdebstrap >/dev/null
	$(SUDO) env PATH="$(CURDIR)/.venv/bin:$$PATH:/usr/sbin:/sbin" python -m pytest -s -p no:cacheprovider tests/vm/test_vm_lxc_host.py

test-vm-debian13: .venv/dev ## make demo on an emulated Debian 13 with Docker, NetworkManager and firewalld, as root: an hour
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends qemu-system-x86 mmdebstrap >/dev/null
	$(SUDO) env PATH="$(CURDIR)/.venv/bin:$$PATH:/usr/sbin:/sbin" python -m pytest -s -p no:cacheprovider tests/vm/test_vm_debian13.py

test-vm-virtualbox: .venv/dev ## real VirtualBox in an emulated Debian: ingress comes up, goes down, leaves nothing; as root: an hour or more
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends \
	  qemu-system-x86 qemu-utils grub-pc-bin mmdebstrap >/dev/null
	$(SUDO) env PATH="$(CURDIR)/.venv/bin:$$PATH:/usr/sbin:/sbin" python -m pytest -s -p no:cacheprovider tests/vm/test_vm_virtualbox.py

# Debian 13 has none of vagrant-lxc. That of unstable alone, none of unstable's other packages: it is Ruby.
define FROM_UNSTABLE
	folder=$$(mktemp -d)
	chmod 755 $$folder
	mkdir -p $$folder/lists/partial
	archive=$$(apt-get indextargets --format '$$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' | head -n 1)
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $$archive unstable main" >$$folder/sources.list
	unstable=(apt-get -qq -o Debug::NoLocking=1 -o Dir::Etc::SourceList=$$folder/sources.list -o Dir::Etc::SourceParts=/dev/null)
	unstable+=(-o Dir::State::Lists=$$folder/lists -o Dir::Cache=$$folder -o APT::Sandbox::User=root)
	if ! { "$${unstable[@]}" update && cd $$folder && "$${unstable[@]}" download vagrant-lxc && mv vagrant-lxc_*.deb vagrant-lxc.deb; }; then
	  echo "That failed. Its plugin comes from rubygems.org, too: apt install vagrant && vagrant plugin install vagrant-lxc"
	  exit 1
	fi
	cd $(CURDIR)
endef

host: ## install the missing Debian packages; nothing where all are there
	@command -v apt-get >/dev/null || { echo "This needs Debian's packages: $(PACKAGES)"; exit 1; }
	if ls -d /usr/share/rubygems-integration/all/gems/vagrant-lxc-* ~/.vagrant.d/gems/*/gems/vagrant-lxc-* >/dev/null 2>&1; then
	  wanted="$(filter-out vagrant-lxc,$(PACKAGES))"
	else
	  wanted="$(PACKAGES)"
	fi
	missing=()
	for package in $$wanted; do
	  dpkg-query --show --showformat='$${Status}' "$$package" 2>/dev/null | grep -q ' installed$$' || missing+=("$$package")
	done
	[ $${#missing[@]} -gt 0 ] || exit 0
	echo "installing $${missing[*]}"
	install=($(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends)
	"$${install[@]}" "$${missing[@]}" >/dev/null 2>&1 && exit 0
	# Nothing is known of these packages, or what is known is old. Sources that are not Debian's may fail.
	$(SUDO) apt-get update -qq || echo "some package sources did not answer; going on with the others"
	if [[ " $${missing[*]} " = *" vagrant-lxc "* ]] && ! apt-cache show vagrant-lxc >/dev/null 2>&1; then
	  if ! apt-cache show vagrant >/dev/null 2>&1; then
	    echo "This distribution has no package of Vagrant. Install it, and: vagrant plugin install vagrant-lxc"
	    exit 1
	  fi
	  echo "this release has no package vagrant-lxc: taking that of Debian unstable, signed by Debian"
	  $(FROM_UNSTABLE)
	  missing=("$${missing[@]/#vagrant-lxc/$$folder/vagrant-lxc.deb}")
	fi
	"$${install[@]}" "$${missing[@]}" >/dev/null

.venv/labctl: pyproject.toml | host
	@python3 -c 'import sys; sys.exit("labctl needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	echo "installing labctl and its libraries in .venv"
	python3 -m venv .venv
	$(PIP) --editable .
	# Commands start a fifth of a second sooner, also where the user may not write here.
	.venv/bin/python -m compileall -q labctl
	touch $@

.venv/dev: .venv/labctl
	@echo "installing what the tests need in .venv"
	$(PIP) --editable '.[dev]'
	touch $@

# Unpacked, not installed: as packages they would start their services on this machine.
.venv/tools: | .venv/labctl
	@echo "unpacking BIRD, HAProxy and CNI plugins, for the tests, in $@"
	rm -rf $@.new
	mkdir -p $@.new/packages/partial
	apt-get install --download-only --yes -qq --no-install-recommends -o Debug::NoLocking=1 \
	  -o APT::Sandbox::User= -o Dir::Cache::archives="$$PWD/$@.new/packages" bird2 haproxy containernetworking-plugins
	for package in $@.new/packages/*.deb; do
	  [ ! -e "$$package" ] || dpkg-deb --extract "$$package" $@.new
	done
	mv $@.new $@

# $(BENCH) up, snapshot and scale bring up labs of their own: the one in demo/ is halted, so that it does not share the processors.
# bench failover needs two ingress machines.
TWO := .venv/bin/labctl -C demo/two
BENCH := $(SUDO) $(TOOL).bench -C demo

performance: .venv/labctl ## measure everything again, on the lab in demo/, and write docs/performance.md: fifty minutes
	@mkdir -p demo/two
	$(LABCTL) up
	$(BENCH) start --document docs/performance.md
	$(LABCTL) bench path --document docs/performance.md --plot docs/path.svg
	$(BENCH) verify --asked 40 --document docs/performance.md
	$(LABCTL) halt
	$(BENCH) class --document docs/performance.md
	$(BENCH) up --document docs/performance.md
	$(BENCH) snapshot --document docs/performance.md
	$(BENCH) scale --document docs/performance.md
	printf 'name: two\ningress: {count: 2}\nnetwork: {subnet: 192.168.51.0/24, service_cidr: 10.112.0.0/16}\n' >demo/two/labctl.yaml
	$(TWO) up
	$(TWO) bench failover --rounds 3 --document docs/performance.md
	$(TWO) destroy --yes

docs: .venv/dev ## write docs/reference/ from the code
	$(TOOL).reference

clean: ## remove the virtual environment and what tools left; not a lab (labctl destroy), not the box (labctl box)
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find labctl tests -name __pycache__ -type d -prune -exec rm -rf {} +
