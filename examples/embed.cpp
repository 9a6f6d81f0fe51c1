// embed.cpp - files and folders through libspinert from C++, as `spinert diagnose`, with progress on stderr.
//
//   find_package(spinert CONFIG REQUIRED)
//   target_link_libraries(embed PRIVATE spinert::spinert)
//
//   ./embed model.safetensors output input...        "-" instead of the model: the demo model
#include <spinert.h>

#include <cstdio>
#include <memory>
#include <string_view>

namespace {

struct Free {
  void operator()(spinert_engine* engine) const { spinert_close(engine); }
  void operator()(spinert_batch* batch) const { spinert_batch_free(batch); }
  void operator()(spinert_error* error) const { spinert_error_free(error); }
};

int fail(spinert_error* error) {
  const std::unique_ptr<spinert_error, Free> owner(error);
  std::fprintf(stderr, "%s: %s\n", spinert_error_id(error), spinert_error_message(error));
  return spinert_error_code(error);
}

int32_t show(const spinert_event* event, void*) {
  if (event->kind == SPINERT_EVENT_SLICE) {
    std::fprintf(stderr, "[%d/%d] %s: %s\n", int(event->done), int(event->total), event->name, event->status);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "embed MODEL OUTPUT INPUT...\n");
    return SPINERT_USAGE;
  }
  spinert_error* error = nullptr;
  auto options = SPINERT_INIT(spinert_open_options);
  if (std::string_view(argv[1]) != "-") options.model = argv[1];
  spinert_engine* opened = nullptr;
  if (spinert_open(&options, &opened, &error) != SPINERT_OK) return fail(error);
  const std::unique_ptr<spinert_engine, Free> engine(opened);

  auto run = SPINERT_INIT(spinert_run_options);
  run.progress = show;
  spinert_batch* made = nullptr;
  const spinert_status status =
      spinert_diagnose_paths(engine.get(), argv + 3, size_t(argc - 3), argv[2], &run, &made, &error);
  const std::unique_ptr<spinert_batch, Free> batch(made);
  for (size_t i = 0; i < spinert_batch_count(batch.get()); ++i) {
    auto study = SPINERT_INIT(spinert_batch_study);
    spinert_batch_get(batch.get(), i, &study, nullptr);
    std::printf("%s: %s, %s. %s\n", study.folder, study.status, study.alert, spinert_label());
  }
  return status == SPINERT_OK ? 0 : fail(error);
}
