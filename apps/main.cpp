// main.cpp - the program: parses the command line and turns every end of a run into an exit code and one error line.
#include <cstdio>
#include <cstring>
#include <new>

#include "apps/command.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/result.h"

namespace spinert::cli {
namespace {

std::string version_text() {
  const auto build = build_info();
  std::string text = "spinert";
  for (const char* key : {"version", "commit", "compiler"}) {
    if (const auto it = build.find(key); it != build.end() && !it->second.empty()) text += ' ' + it->second;
  }
  return text + "\n" + kResearchLabel;
}

// The contract that scripts rely on: every error id with its exit code, as JSON.
void print_exit_codes() {
  JsonText json;
  json.begin_object().key("exit_codes").begin_array();
  static constexpr ErrorId kIds[] = {
#define ERROR(id, exit_code) ErrorId::id,
#include "kernels/base/error_ids.def"
#undef ERROR
  };
  for (const ErrorId id : kIds) {
    json.begin_object(JsonText::Layout::inline_).key("id").text(error_name(id));
    json.key("exit_code").integer(exit_code(id)).end();
  }
  json.begin_object(JsonText::Layout::inline_).key("id").text("SIGTERM").key("exit_code").integer(143).end();
  json.end().end();
  std::printf("%s\n", json.str().c_str());
}

// Before parsing has finished, so that a usage error takes the form that was asked for.
bool wants_json_log(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--log=json") == 0) return true;
    if (i + 1 < argc && std::strcmp(argv[i], "--log") == 0 && std::strcmp(argv[i + 1], "json") == 0) return true;
  }
  return false;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Finds every vertebra on a sagittal spine CT slice and gives six probabilities for each.\n"
      "Research use only. Not for diagnostic use."};
  app.name("spinert");
  app.footer(
      "Example:\n  spinert diagnose slice.png -o out\n\n"
      "Each subcommand has its own --help. Exit codes: spinert --exit-codes.");
  app.set_version_flag("--version", version_text());
  bool exit_codes = false;
  app.add_flag("--exit-codes", exit_codes, "print the table of error ids and exit codes as JSON");
  app.require_subcommand(0, 1);
  Invocation invocation;
  invocation.json_log = wants_json_log(argc, argv);
  add_diagnose(app, invocation);
  add_convert(app, invocation);
  add_inspect(app, invocation);
  add_verify(app, invocation);
  add_bench(app, invocation);
  add_phantom(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return 0;
  } catch (const CLI::CallForVersion& version) {
    app.exit(version);
    return 0;
  } catch (const CLI::ParseError& failure) {
    std::string what = failure.what();
    while (!what.empty() && (what.back() == '.' || what.back() == '\n')) what.pop_back();
    return print_error(error(ErrorId::E_USAGE, what, "command line").hint("See spinert --help."), invocation.json_log);
  }
  if (exit_codes) {
    print_exit_codes();
    return 0;
  }
  if (!invocation.run) {
    const Status status = error(ErrorId::E_USAGE, "no subcommand", "command line")
                              .expected("diagnose, convert, inspect, verify, bench or phantom", "nothing")
                              .hint("See spinert --help.");
    return print_error(status, invocation.json_log);
  }
  install_signal_handlers();
  return invocation.run();
}

}  // namespace
}  // namespace spinert::cli

int main(int argc, char** argv) {
  using spinert::ErrorId;
  try {
    const int code = spinert::cli::run(argc, argv);
    // Results that never reached their reader are no success.
    if (std::fflush(stdout) == 0 || code != 0) return code;
    return spinert::cli::print_error(spinert::error(ErrorId::E_OUTPUT, "cannot write results", "standard output"),
                                     false);
  } catch (const std::bad_alloc&) {
    const spinert::Status status = spinert::error(ErrorId::E_OOM_HOST, "the memory was not enough")
                                       .hint("Give the process more memory, or run fewer slices at a time.");
    return spinert::cli::print_error(status, false);
  } catch (const std::exception& failure) {
    return spinert::cli::print_error(spinert::error(ErrorId::E_INTERNAL, failure.what()), false);
  }
}
