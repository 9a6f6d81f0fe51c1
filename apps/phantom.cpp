// phantom.cpp - `spinert phantom`: synthetic slices as PNG and their truth, into a folder of their own.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <new>
#include <optional>

#include "apps/command.h"
#include "diagnosis/phantom/phantom.h"
#include "diagnosis/phantom/truth.h"
#include "diagnosis/report/study_output.h"
#include "diagnosis/report/text.h"
#include "kernels/base/thread_pool.h"

namespace spinert::cli {
namespace {

constexpr int64_t kMostSlices = 100000;
constexpr const char* kTruthName = "truth.json";

struct Arguments {
  std::string output, overwrite = "never";
  int64_t count = 12, first = 0, threads = 0;
  bool sixteen_bit = false;
  PhantomOptions options;
};

bool parse(std::string_view text, double& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// "LOW,HIGH", or one number for both.
bool parse_pair(const std::string& text, Range& range) {
  const size_t comma = text.find(',');
  const std::string_view all = text;
  if (comma == std::string::npos) return parse(all, range.low) && parse(all, range.high);
  return parse(all.substr(0, comma), range.low) && parse(all.substr(comma + 1), range.high);
}

[[noreturn]] void refuse(const std::string& name, const std::string& expected, const std::string& got) {
  throw CLI::ValidationError(name, "expected " + expected + ", got \"" + got + "\"");
}

void add_range(CLI::App& app, const std::string& name, Range& range, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&range, name](const std::string& text) {
           if (!parse_pair(text, range)) refuse(name, "LOW,HIGH or one number", text);
         },
         help)
      ->type_name("LOW,HIGH");
}

// "OVCF=0.3,KD=0.1": the others keep their defaults.
void read_prevalence(const std::string& text, phantom::Prevalence& prevalence) {
  std::string_view rest = text;
  while (true) {
    const std::string_view part = rest.substr(0, rest.find(','));
    const size_t sign = part.find('=');
    const auto* name = std::ranges::find(phantom::kLabelNames, part.substr(0, sign));
    const auto index = static_cast<size_t>(name - phantom::kLabelNames.begin());
    if (sign == std::string_view::npos || index >= prevalence.share.size() ||
        !parse(part.substr(sign + 1), prevalence.share[index])) {
      refuse("--prevalence", "CLASS=SHARE,... with OVCF, OF, SN, KD or PS", text);
    }
    if (part.size() == rest.size()) return;
    rest.remove_prefix(part.size() + 1);
  }
}

std::string file_name(int64_t number) {
  std::string digits = std::to_string(number);
  constexpr size_t kDigits = 3;
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return "slice_" + digits + ".png";
}

struct Made {
  PhantomEntry entry;
  Status status;
  std::vector<uint8_t> png;
};

Made make(const Phantom& phantom, int64_t number, bool sixteen_bit) {
  Made made;
  try {
    PhantomSlice slice = phantom.slice(static_cast<uint64_t>(number));
    auto png = sixteen_bit ? phantom_png16(slice) : phantom_png8(slice);
    made.status = png.status();
    if (png.ok()) made.png = std::move(png).value();
    made.entry = {file_name(number), slice.width,  slice.height,
                  slice.spacing,     slice.window, std::move(slice.vertebrae)};
  } catch (const std::bad_alloc&) {
    made.status = error(ErrorId::E_OOM_HOST, "no memory for a slice").hint("Ask for smaller slices or fewer threads.");
  }
  return made;
}

Status write_all(const Arguments& arguments, bool json_log, std::string& folder) {
  SPINERT_ASSIGN(const Phantom phantom, Phantom::create(arguments.options));
  const Overwrite overwrite = arguments.overwrite == "replace"  ? Overwrite::replace
                              : arguments.overwrite == "suffix" ? Overwrite::suffix
                                                                : Overwrite::never;
  SPINERT_ASSIGN(StudyOutput output, StudyOutput::open(arguments.output, overwrite, {}, kTruthName));
  ThreadPool pool(arguments.threads > 0 ? static_cast<int>(arguments.threads) : usable_threads());
  std::vector<PhantomEntry> entries;
  // As many slices at a time as there are threads: memory does not grow with their number.
  for (int64_t done = 0; done < arguments.count;) {
    std::vector<Made> round(static_cast<size_t>(std::min<int64_t>(pool.size(), arguments.count - done)));
    pool.run(static_cast<int64_t>(round.size()), [&](WorkRange range) {
      for (int64_t i = range.begin; i < range.end; ++i) {
        round[static_cast<size_t>(i)] = make(phantom, arguments.first + done + i, arguments.sixteen_bit);
      }
    });
    if (stop_signal().load() != 0) return error(ErrorId::E_CANCELLED, "stopped; nothing was written", output.folder());
    for (Made& made : round) {
      SPINERT_TRY(made.status);
      SPINERT_TRY(output.add(made.entry.file, {reinterpret_cast<const char*>(made.png.data()), made.png.size()}));
      ++done;
      print_note("info",
                 "[" + std::to_string(done) + "/" + std::to_string(arguments.count) + "] " + made.entry.file + ": " +
                     counted(made.entry.vertebrae.size(), "vertebra", "vertebrae"),
                 json_log);
      entries.push_back(std::move(made.entry));
    }
  }
  SPINERT_TRY(output.add(kTruthName, phantom_truth(arguments.options, arguments.sixteen_bit, entries)));
  SPINERT_TRY(output.publish());
  folder = output.folder();
  return {};
}

int run_phantom(const Arguments& arguments, bool json_log) {
  std::string folder;
  if (const Status status = write_all(arguments, json_log, folder); !status.ok()) {
    const int code = print_error(status, json_log);
    return status.id() == ErrorId::E_CANCELLED ? 128 + stop_signal().load() : code;
  }
  std::printf("truth: %s/%s\n", clean_utf8(folder).c_str(), kTruthName);
  return 0;
}

}  // namespace

void add_phantom(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  PhantomOptions& options = arguments->options;
  CLI::App* command =
      app.add_subcommand("phantom", "make synthetic slices with known vertebrae and findings, for tests and training");
  command->add_option("-o,--output", arguments->output, "folder for the slices and truth.json")
      ->required()
      ->type_name("FOLDER");
  add_integer(*command, "--count", arguments->count, 1, kMostSlices, "slices; default: 12");
  add_integer(*command, "--first", arguments->first, 0, 1000000000,
              "number of the first slice; a set can be made in parts; default: 0");
  command
      ->add_option_function<std::string>(
          "--seed",
          [&options](const std::string& text) {
            const auto result = std::from_chars(text.data(), text.data() + text.size(), options.seed);
            if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
              refuse("--seed", "a whole number from 0 to 18446744073709551615", text);
            }
          },
          "another seed, other slices; the same one, the same bytes; default: 1")
      ->type_name("N");
  command
      ->add_option_function<std::string>(
          "--format", [arguments](const std::string& text) { arguments->sixteen_bit = text == "png16"; },
          "png8 (default): grey through a window; png16: HU + 1024, for diagnose --hu-offset 1024")
      ->check(CLI::IsMember({"png8", "png16"}))
      ->type_name("FORM");
  add_range(*command, "--width", options.width, "pixels; default: 380,860");
  add_range(*command, "--height", options.height, "pixels; default: 480,970");
  add_range(*command, "--spacing", options.spacing, "mm of a pixel's side; default: 0.42,0.72");
  command
      ->add_option_function<std::string>(
          "--prevalence", [&options](const std::string& text) { read_prevalence(text, options.prevalence); },
          "part of all vertebrae that carries a label; default: OVCF=0.15,OF=0.1,SN=0.05,KD=0.05,PS=0.05")
      ->type_name("CLASS=SHARE,...");
  command
      ->add_option_function<std::string>(
          "--window",
          [&options](const std::string& text) {
            Range pair;
            if (text == "random") {
              options.window.reset();
            } else if (text.find(',') != std::string::npos && parse_pair(text, pair)) {
              options.window = HuWindow{kPhantomOffset, pair.low, pair.high};
            } else {
              refuse("--window", "LEVEL,WIDTH or random", text);
            }
          },
          "in HU, for png8; default: random for each slice, level 150 to 550, width 900 to 2600")
      ->type_name("LEVEL,WIDTH");
  add_integer(*command, "--threads", arguments->threads, 1, 1024, "default: all that this process may use");
  command
      ->add_option("--overwrite", arguments->overwrite,
                   "if the folder holds slices: never (default) refuses, replace replaces them file by file, suffix "
                   "takes FOLDER-2")
      ->check(CLI::IsMember({"never", "replace", "suffix"}))
      ->type_name("HOW");
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert phantom -o slices --count 48 --seed 7\n"
      "  spinert phantom -o hu --format png16 --width 512 --height 768 --spacing 0.6\n"
      "  spinert phantom -o clefts --prevalence KD=0.3,OVCF=0.3,OF=0 --window 400,1800\n\n"
      "truth.json appears last: a folder with it is complete. docs/phantom.md describes it. Synthetic slices say\n"
      "nothing about patients.");
  command->callback([arguments, &invocation] {
    invocation.run = [arguments, &invocation] { return run_phantom(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
