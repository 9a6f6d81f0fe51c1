// engine.cpp - opening, describing and closing a model; who may use it.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "api/handles.h"
#include "diagnosis/report/model_json.h"
#include "kernels/base/thread_pool.h"

namespace spinert::api {
namespace {

constexpr int64_t kMostBatch = 1024, kMostLanes = 8;

Status set_hash(const char* hash, std::string& out) {
  out = text_of(hash);
  for (char& c : out) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  if (hash && (out.size() != 64 || out.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return misuse("model_sha256").expected("64 hexadecimal digits", out);
  }
  return {};
}

Status open(const spinert_open_options* given, spinert_engine& engine) {
  spinert_open_options options = SPINERT_INIT(spinert_open_options);
  if (given) SPINERT_TRY(read_struct(given, options, "options"));
  SPINERT_TRY(check_number("threads", options.threads, kMostThreads));
  SPINERT_TRY(check_number("batch", options.batch, kMostBatch));
  SPINERT_TRY(check_number("lanes", options.lanes, kMostLanes));
  SPINERT_TRY(check_number("memory_limit", options.memory_limit, int64_t{1} << 50));
  PipelineOptions& out = engine.options;
  SPINERT_TRY(set_threshold(options.threshold, out.threshold));
  SPINERT_TRY(set_canvas(options.canvas, out.canvas));
  SPINERT_TRY(set_hash(options.model_sha256, out.engine.model_sha256));
  if (options.device) out.engine.device = options.device;
  out.engine.isa = text_of(options.isa);
  out.engine.precision = text_of(options.precision);
  out.engine.threads = options.threads;
  out.engine.memory_limit = options.memory_limit;
  out.engine.lanes = options.lanes > 0 ? options.lanes : 1;
  out.batch = options.batch;
  engine.dicom_program = text_of(options.dicom_program);
  engine.demo_model = !options.model;
  SPINERT_ASSIGN(out.model, model_path(text_of(options.model)));
  SPINERT_ASSIGN(engine.pipeline, Pipeline::open(out));
  engine.owner = ::getpid();
  return {};
}

}  // namespace

Use::Use(spinert_engine* engine) {
  if (!engine) {
    status_ = misuse("the engine is null");
  } else if (engine->owner != ::getpid()) {
    status_ = misuse("the engine was opened by another process").hint("Open one in the child.");
  } else if (engine->busy.exchange(true, std::memory_order_acquire)) {
    status_ = misuse("the engine is running another call").hint("Wait for it, or open one engine for each thread.");
  } else {
    engine_ = engine;
  }
}

Use::~Use() {
  if (engine_) engine_->busy.store(false, std::memory_order_release);
}

Status check_number(const char* name, int64_t value, int64_t highest) {
  if (value >= 0 && value <= highest) return {};
  return misuse(name).expected("0 to " + std::to_string(highest), std::to_string(value));
}

Status set_threshold(double threshold, std::optional<float>& out) {
  if (!(threshold >= 0 && threshold <= 1)) return misuse("threshold").expected("0 to 1", std::to_string(threshold));
  if (threshold > 0) out = static_cast<float>(threshold);
  return {};
}

Status set_canvas(const char* name, std::optional<CanvasMode>& out) {
  if (!name) return {};
  SPINERT_ASSIGN(out, canvas_mode(name));
  return {};
}

}  // namespace spinert::api

using namespace spinert;

spinert_status spinert_open(const spinert_open_options* options, spinert_engine** engine, spinert_error** error) {
  if (engine) *engine = nullptr;
  return api::at_border(error, [&]() -> Status {
    if (!engine) return api::misuse("engine is null");
    auto opened = std::make_unique<spinert_engine>();
    SPINERT_TRY(api::open(options, *opened));
    *engine = opened.release();
    return {};
  });
}

spinert_status spinert_close(spinert_engine* engine) {
  if (!engine) return SPINERT_OK;
  return api::at_border(nullptr, [&]() -> Status {
    {
      const api::Use use(engine);
      SPINERT_TRY(use.status());
    }
    delete engine;
    return {};
  });
}

spinert_status spinert_describe(spinert_engine* engine, const char** json, spinert_error** error) {
  if (json) *json = nullptr;
  return api::at_border(error, [&]() -> Status {
    if (!json) return api::misuse("json is null");
    const api::Use use(engine);
    SPINERT_TRY(use.status());
    if (engine->description.empty()) {
      SPINERT_ASSIGN(const std::string hash, engine->pipeline->engine().file_sha256());
      engine->description = model_json(engine->pipeline->engine(), hash);
    }
    *json = engine->description.c_str();
    return {};
  });
}
