// inspect.cpp - `spinert inspect`: what a file is, without running it.
#include <cstdio>

#include "apps/command.h"
#include "apps/inspect_model.h"
#include "apps/inspect_study.h"
#include "diagnosis/images/input_file.h"
#include "diagnosis/images/limits.h"
#include "diagnosis/images/picture.h"
#include "diagnosis/images/sniff.h"
#include "diagnosis/input.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/text.h"
#include "kernels/base/thread_pool.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace spinert::cli {
namespace {

struct Arguments {
  std::string path;
  EngineArguments engine;
  std::optional<CanvasMode> canvas;
  bool json = false;
};

// A safetensors file begins with the length of its header and the header with a brace.
bool looks_like_model(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char head[9] = {};
  file.read(head, sizeof head);
  return path.ends_with(".safetensors") ||
         (file.gcount() == sizeof head && head[8] == '{' && head[6] == 0 && head[7] == 0);
}

int inspect_picture(const std::string& path, bool as_json, bool json_log) {
  const auto bytes = read_input_file(path, kMaxPictureFileBytes);
  if (!bytes.ok()) return print_error(bytes.status(), json_log);
  const Content content = sniff(bytes.value());
  const auto picture = decode_picture(bytes.value(), path);
  if (as_json) {
    JsonText json;
    json.begin_object().key("kind").text("picture").key("path").text(path).key("content").text(content.name);
    json.key("bytes").integer(static_cast<long long>(bytes.value().size())).key("readable").boolean(picture.ok());
    if (picture.ok()) {
      const Picture& p = picture.value();
      json.key("width").integer(p.width).key("height").integer(p.height).key("bits").integer(p.bits);
      json.key("lossy").boolean(p.lossy).key("sha256").text(p.sha256).key("warnings").texts(p.warnings);
    } else {
      json.key("error").text(error_name(picture.status().id())).key("message").text(picture.status().message());
    }
    json.end();
    std::printf("%s\n", json.str().c_str());
  } else {
    std::printf("file     %s\ncontent  %s, %zu bytes\n", clean_utf8(path).c_str(), std::string(content.name).c_str(),
                bytes.value().size());
    if (picture.ok()) {
      const Picture& p = picture.value();
      std::printf("slice    %d x %d, %d bits%s\nsha256   %s\n", p.width, p.height, p.bits, p.lossy ? ", lossy" : "",
                  p.sha256.c_str());
      for (const std::string& warning : p.warnings) std::printf("warning  %s\n", clean_utf8(warning).c_str());
      std::printf("would be read: yes\n");
    } else {
      std::printf("would be read: no\n");
    }
  }
  return picture.ok() ? 0 : print_error(picture.status(), json_log);
}

int inspect_pictures(const std::string& path, const InputList& list, bool as_json, bool json_log) {
  size_t readable = 0;
  Status first;
  JsonText json;
  json.begin_object().key("kind").text("folder").key("path").text(path);
  json.key("files_seen").integer(static_cast<long long>(list.files_seen)).key("slices").begin_array();
  for (const Input& input : list.inputs) {
    Status status = input.problem;
    if (status.ok()) status = read_picture(input.path).status();
    status.ok() ? void(++readable) : void(first = first.ok() ? status : first);
    json.begin_object(JsonText::Layout::inline_).key("path").text(input.path).key("readable").boolean(status.ok());
    json.key("message").text(status.ok() ? "" : status.to_string()).end();
    if (!as_json) {
      std::printf("%s: %s\n", clean_utf8(input.path).c_str(),
                  status.ok() ? "would be read" : clean_utf8(status.to_string()).c_str());
    }
  }
  json.end().end();
  if (as_json) {
    std::printf("%s\n", json.str().c_str());
  } else {
    std::printf("%zu of %zu slices would be read; %s\n", readable, list.inputs.size(), list.describe().c_str());
  }
  return first.ok() ? 0 : print_error(first, json_log);
}

int run_inspect(const Arguments& arguments, bool json_log) {
  if (looks_like_model(arguments.path)) {
    EngineOptions options = arguments.engine.options();
    if (arguments.canvas == CanvasMode::tight) options.size_steps["detector"] = kCanvasStep;
    return inspect_model(arguments.path, options, arguments.json, json_log);
  }
  const std::vector<std::string> paths{arguments.path};
  auto list = expand_inputs(paths, true);
  if (!list.ok()) return print_error(list.status(), json_log);
  if (std::ranges::any_of(list.value().inputs, [](const Input& input) { return input.kind != InputKind::picture; })) {
    DicomReaders readers(usable_threads());
    RunControl control;
    control.cancel = &stop_signal();
    return inspect_studies(group_studies(std::move(list.value().inputs), readers, control), {}, arguments.json,
                           json_log);
  }
  std::error_code failure;
  return std::filesystem::is_directory(arguments.path, failure)
             ? inspect_pictures(arguments.path, list.value(), arguments.json, json_log)
             : inspect_picture(arguments.path, arguments.json, json_log);
}

}  // namespace

void add_inspect(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("inspect", "show what a model, a picture, an examination or a folder is");
  command->add_option("path", arguments->path, "model file, picture, DICOM or NIfTI file, or folder")
      ->required()
      ->type_name("PATH");
  command->add_flag("--json", arguments->json, "print JSON");
  arguments->engine.add(*command);
  arguments->engine.add_lanes(*command);
  add_canvas(*command, arguments->canvas);
  add_log(*command, invocation);
  command->footer("Example:\n  spinert inspect models/spine-demo.safetensors --isa avx2");
  command->callback([arguments, &invocation] {
    invocation.run = [arguments, &invocation] { return run_inspect(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
