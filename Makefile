# A short front of CMake: the presets are in CMakePresets.json.
.DEFAULT_GOAL := release
.PHONY: release debug asan tsan coverage test unit e2e crash fuzz mutation bench bench-aws package-aws format tidy clean

release debug asan tsan coverage:
	@cmake --preset $@ $(if $(filter release,$@),-DSPILLWAY_TESTS=$(or $(TESTS),OFF)) >/dev/null
	@cmake --build $(if $(filter release,$@),build,build/$@) -- --quiet

# Everything that CI runs.
test:
	@script/test

unit: ; @script/test unit
e2e: ; @script/test e2e
tidy: ; @script/test tidy

# kill -9 under load; ROUNDS=1000 for the long run.
crash:
	@script/test crash --rounds $(or $(ROUNDS),50)

# Every parser of outside bytes, all of them together for SECONDS.
fuzz:
	@script/test fuzz --seconds $(or $(SECONDS),60)

# Breaks the program on purpose, one promise at a time: each must be noticed by a test.
mutation:
	@script/test mutation

# Throughput and CPU per request beside nginx.
bench: release
	@bench/run

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
