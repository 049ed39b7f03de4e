# A short front of CMake: the presets are in CMakePresets.json.
.DEFAULT_GOAL := release
.PHONY: release debug asan tsan coverage test unit e2e crash mutation bench format tidy clean

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

# Breaks the program on purpose, one promise at a time: each must be noticed by a test.
mutation:
	@script/test mutation

# Throughput and CPU per request beside nginx.
bench: release
	@bench/run

format:
	@script/test format -i

clean:
	@rm -rf build
