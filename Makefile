# A short front of CMake: the presets are in CMakePresets.json.
.DEFAULT_GOAL := release
.PHONY: release debug asan tsan coverage test unit e2e simulate exhaust protocol planted crash process disk fuzz security mutation bench bench-aws bill-aws package-aws format tidy clean

release debug asan tsan coverage:
	@cmake --preset $@ $(if $(filter release,$@),-DSPILLWAY_TESTS=$(or $(TESTS),OFF)) >/dev/null
	@cmake --build $(if $(filter release,$@),build,build/$@) -- --quiet

# Everything that CI runs.
test:
	@script/test

unit: ; @script/test unit
e2e: ; @script/test e2e
tidy: ; @script/test tidy
security: ; @script/test security

INVOICES = examples/online_retail_sample.csv
# Simulated worlds: SEEDS of them from SEED on, or for as long as SECONDS says (a nightly run).
simulate: simulator
	@build/simulator --seed $(or $(SEED),1) --orders $(or $(ORDERS),100) --data $(INVOICES) --twice $(if $(SECONDS),--seconds $(SECONDS),--seeds $(or $(SEEDS),1000))

# A short simulated world with every fault at every point, once and for ever.
exhaust: simulator
	@build/simulator --seed $(or $(SEED),1) --orders $(or $(ORDERS),8) --data $(INVOICES) --exhaust

# The DynamoDB store's claim protocol: every interleaving of two functions with MISHAPS of them, and RUNS by chance.
protocol: simulator
	@build/protocol --mishaps $(or $(MISHAPS),2) --jumps $(or $(JUMPS),0) --chance $(or $(RUNS),20000)

# Plants bugs that break the promise; the simulator must find each.
planted:
	@tests/planted/run.py $(if $(SEEDS),--seeds $(SEEDS))

.PHONY: simulator
simulator:
	@cmake --preset release >/dev/null && cmake --build build --target simulator protocol -- --quiet

# kill -9 under load; ROUNDS=1000 for the long run.
crash:
	@script/test crash --rounds $(or $(ROUNDS),50)

# Signals, full disks, few descriptors, slow, idle and broken connections, hostile services, all under load.
process: ; @script/test process

# The store on a disk that fails at every operation, and without memory at every allocation: SEED, DRAWS.
disk:
	@script/test disk --seed $(or $(SEED),1) --draws $(or $(DRAWS),1)

# Every parser of outside bytes, all of them together for SECONDS.
fuzz:
	@script/test fuzz --seconds $(or $(SECONDS),60)

# Breaks the program on purpose, one promise at a time: each must be noticed by a test.
mutation:
	@script/test mutation

# Throughput and CPU per request beside nginx.
bench: release
	@bench/run

# What a million orders cost on AWS, metered on emulators.
bill-aws:
	@script/bill-aws

# Start, CPU and memory of Lambda's bootstrap, beside a bare static program.
bench-aws:
	@bench/aws

# What Lambda is given: build/aws/spillway-x86_64.zip and build/aws/spillway-arm64.zip.
package-aws:
	@script/build-aws all

# What `sam build` asks for: make build-ApiFunction ARTIFACTS_DIR=… ARCH=x86_64|arm64
ARCH ?= arm64
build-%:
	@script/build-aws $(ARCH)
	@install -D -m 0755 build/aws/$(ARCH)/bootstrap $(ARTIFACTS_DIR)/bootstrap

format:
	@script/test format -i

clean:
	@rm -rf build
