#include "apps/command.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>

#include "diagnosis/pipeline.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/text.h"
#include "diagnosis/verify_request.h"
#include "kernels/registry.h"
#include "weights/atomic_file.h"

namespace spinert::cli {
namespace {

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

[[noreturn]] void refuse(const std::string& name, const std::string& expected, const std::string& got) {
  throw CLI::ValidationError(name, "expected " + expected + ", got \"" + got + "\"");
}

// A message may quote a file: line ends and control characters must not reach the terminal.
std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return clean_utf8(text);
}

extern "C" void on_signal(int number) {
  stop_signal().store(number, std::memory_order_relaxed);
}

}  // namespace

void add_integer(CLI::App& app, const std::string& name, int64_t& value, int64_t low, int64_t high,
                 const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value, name, low, high](const std::string& text) {
           if (!parse_number(text, value) || value < low || value > high) {
             refuse(name, "a whole number from " + std::to_string(low) + " to " + std::to_string(high), text);
           }
         },
         help)
      ->type_name("N");
}

void add_real(CLI::App& app, const std::string& name, std::optional<double>& value, double low, double high,
              const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value, name, low, high](const std::string& text) {
           double number = 0;
           if (!parse_number(text, number) || !(number >= low) || !(number <= high)) {
             refuse(name, "a number from " + exact_number(low) + " to " + exact_number(high), text);
           }
           value = number;
         },
         help)
      ->type_name("X");
}

void add_bytes(CLI::App& app, const std::string& name, int64_t& value, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value, name](const std::string& text) {
           std::string_view digits = text;
           int shift = 0;
           if (digits.ends_with('K')) shift = 10;
           if (digits.ends_with('M')) shift = 20;
           if (digits.ends_with('G')) shift = 30;
           if (shift > 0) digits.remove_suffix(1);
           if (!parse_number(digits, value) || value < 1 || value > (int64_t{1} << 50 >> shift)) {
             refuse(name, "a number of bytes such as 700M or 1G", text);
           }
           value <<= shift;
         },
         help)
      ->type_name("BYTES");
}

void add_log(CLI::App& app, Invocation& invocation) {
  app.add_option_function<std::string>(
         "--log", [&invocation](const std::string& text) { invocation.json_log = text == "json"; },
         "form of the messages on stderr: text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORM");
}

void EngineArguments::add(CLI::App& app) {
  app.add_option("--device", device,
                 "auto (the cpu; no card has proved the cuda backend yet), cpu, reference or cuda[:n]; a named device "
                 "never becomes another one")
      ->check([](const std::string& text) {
        if (text == "auto" || text == "cpu" || text == "reference" || names_card(text)) return std::string();
        return "expected auto, cpu, reference or cuda[:n], got \"" + text + '"';
      })
      ->type_name("NAME");
  app.add_option("--isa", isa, "highest instruction set to use; sm80 or sm90a on a card")
      ->check(CLI::IsMember(isa_names()))
      ->type_name("NAME");
  app.add_option("--precision", precision,
                 "fp32, mixed, int8 or fp8; never lowered silently; default: mixed on a card, else fp32")
      ->check(CLI::IsMember({"fp32", "mixed", "int8", "fp8"}))
      ->type_name("NAME");
  add_integer(app, "--threads", threads, 1, 1024, "threads; default: all that this process may use");
  add_bytes(app, "--memory-limit", memory_limit, "refuse to start if weights and activations need more");
  app.add_option("--model-sha256", model_sha256, "the model file must have this SHA-256")
      ->check([](const std::string& text) {
        const bool hex = text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
        return hex ? std::string() : "expected 64 hexadecimal digits, got \"" + text + '"';
      })
      ->type_name("HASH");
}

void EngineArguments::add_lanes(CLI::App& app) {
  add_integer(app, "--lanes", lanes, 1, 8,
              "slices that a card computes side by side, for throughput; changes no result; default: 1");
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Level level : cpu_levels()) names.emplace_back(level_name(level));
  for (const Level level : {Level::sm80, Level::sm90a}) names.emplace_back(level_name(level));
  return names;
}

void add_canvas(CLI::App& app, std::optional<CanvasMode>& value) {
  app.add_option_function<std::string>(
         "--canvas",
         [&value](const std::string& text) {
           const auto mode = canvas_mode(text);
           if (!mode.ok()) refuse("--canvas", "fixed or tight", text);
           value = mode.value();
         },
         "what the detector sees: fixed, the whole canvas, or tight, the part about the slice, which is faster and not "
         "the same arithmetic; default: of the model; not on a card")
      ->type_name("NAME");
}

EngineOptions EngineArguments::options() const {
  EngineOptions options;
  options.device = device;
  options.isa = isa;
  options.precision = precision;
  options.threads = static_cast<int>(threads);
  options.memory_limit = memory_limit;
  options.lanes = static_cast<int>(lanes);
  options.model_sha256 = model_sha256;
  for (char& c : options.model_sha256) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return options;
}

int print_error(const Status& status, bool json) {
  const std::string name(error_name(status.id())), message = one_line(status.message());
  std::string line = "spinert: error " + name + ": " + message;
  if (json) {
    JsonText object;
    object.begin_object(JsonText::Layout::inline_).key("level").text("error").key("id").text(name);
    object.key("exit_code").integer(exit_code(status.id())).key("message").text(message).end();
    line = object.str();
  }
  std::fprintf(stderr, "%s\n", line.c_str());
  return exit_code(status.id());
}

Status write_text(const std::string& path, const std::string& text) {
  SPINERT_ASSIGN(AtomicFile file, AtomicFile::create(path, AtomicFile::Existing::replace));
  SPINERT_TRY(file.write(text));
  return file.commit();
}

void print_note(const std::string& level, const std::string& text, bool json) {
  std::string line = "spinert: " + (level == "info" ? std::string() : level + ": ") + one_line(text);
  if (json) {
    JsonText object;
    object.begin_object(JsonText::Layout::inline_).key("level").text(level).key("message").text(one_line(text)).end();
    line = object.str();
  }
  std::fprintf(stderr, "%s\n", line.c_str());
}

std::atomic<int>& stop_signal() {
  static std::atomic<int> number{0};
  return number;
}

void install_signal_handlers() {
  stop_signal().store(0);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace spinert::cli
