// command.h - what the subcommands share: option parsing on top of CLI11, the error line, signals.
//
// Each apps/<name>.cpp registers its subcommand; the chosen one leaves a function in Invocation::run. stdout carries
// results only; errors, warnings and progress go to stderr.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diagnosis/canvas.h"
#include "kernels/base/status.h"
#include "runtime/engine.h"

namespace spinert::cli {

struct Invocation {
  std::function<int()> run;  // returns the exit code
  bool json_log = false;     // --log json
};

void add_diagnose(CLI::App& app, Invocation& invocation);
void add_convert(CLI::App& app, Invocation& invocation);
void add_inspect(CLI::App& app, Invocation& invocation);
void add_verify(CLI::App& app, Invocation& invocation);
void add_bench(CLI::App& app, Invocation& invocation);
void add_evaluate(CLI::App& app, Invocation& invocation);
void add_phantom(CLI::App& app, Invocation& invocation);

// Options are taken as text and parsed here: std::from_chars knows no locale and takes no trailing characters. A value
// out of range ends parsing with a usage error.
void add_integer(CLI::App& app, const std::string& name, int64_t& value, int64_t low, int64_t high,
                 const std::string& help);
void add_real(CLI::App& app, const std::string& name, std::optional<double>& value, double low, double high,
              const std::string& help);
// "700M", "1G", "123456": bytes with a binary suffix K, M or G.
void add_bytes(CLI::App& app, const std::string& name, int64_t& value, const std::string& help);
void add_log(CLI::App& app, Invocation& invocation);

// --device, --isa, --precision, --threads, --memory-limit, --model-sha256.
struct EngineArguments {
  std::string device = "auto", isa, precision, model_sha256;
  int64_t threads = 0, memory_limit = 0, lanes = 1;

  void add(CLI::App& app);
  void add_lanes(CLI::App& app);
  EngineOptions options() const;
};
// --canvas; the value stays empty without it.
void add_canvas(CLI::App& app, std::optional<CanvasMode>& value);

// Every name that --isa takes.
std::vector<std::string> isa_names();

// "spinert: error E_NAME: <what>, <where> (expected X, got Y). <what to do>", or one JSON object. Returns the exit
// code.
int print_error(const Status& status, bool json);
// A whole file for --json options, replaced if it is there. E_OUTPUT.
Status write_text(const std::string& path, const std::string& text);

// One line that says how it goes on; level: "info" or "warning".
void print_note(const std::string& level, const std::string& text, bool json);

// The last of SIGINT and SIGTERM that arrived, 0 before. install_signal_handlers() also makes a full disk or a closed
// pipe an error code instead of a signal that kills.
std::atomic<int>& stop_signal();
void install_signal_handlers();

}  // namespace spinert::cli
