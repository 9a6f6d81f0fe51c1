/* spinert.h - SpineRT for any language: plain C99 over opaque handles. docs/embedding.md is the guide.
 *
 *   spinert_engine* engine = NULL;
 *   spinert_error* error = NULL;
 *   if (spinert_open(NULL, &engine, &error) != SPINERT_OK) { puts(spinert_error_message(error)); ... }
 *
 * Research use only. Not for diagnostic use.
 *
 * Status. A call that can fail returns the exit code that the command line would end with, and where `error` is not
 * NULL an object with the id and the sentence that it would print, to be freed by the caller; NULL on success. No call
 * ends the process and no C++ exception leaves one.
 *
 * Structs. Each begins with struct_size: set it with SPINERT_INIT, which makes everything else zero, and zero is always
 * the default. A struct may grow in a later version; a program built with an earlier header goes on to work.
 *
 * Threads. One engine runs one call at a time, from any thread; a second call meanwhile is refused with SPINERT_USAGE.
 * Several engines may run side by side. Results, errors and strings may be read by several threads at once. A
 * spinert_cancel may be requested by any thread or signal handler at any time. An engine works in the
 * process that opened it and in no child of it. Callbacks come on the thread of the call. The library starts threads of
 * its own, sets no signal handler, and changes neither locale nor rounding of the caller.
 *
 * Strings are UTF-8 and end with a zero. What a function gives through a const pointer belongs to the object that it
 * was asked of and lives as long; paths are used as they are. */
#ifndef SPINERT_H
#define SPINERT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SPINERT_API __attribute__((visibility("default")))
#else
#define SPINERT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with every addition; the shared library's name changes when something is taken away. */
#define SPINERT_ABI 1

/* The status of a call: an exit code of the command line. New codes may be added. */
typedef int32_t spinert_status;
enum {
  SPINERT_OK = 0,
  SPINERT_INTERNAL = 1,
  SPINERT_USAGE = 2, /* a null handle, a struct of the wrong size, a value out of range */
  SPINERT_INPUT_MISSING = 3,
  SPINERT_INPUT_INVALID = 4,
  SPINERT_INPUT_UNSUPPORTED = 5,
  SPINERT_MODEL_INVALID = 6,
  SPINERT_MODEL_MISMATCH = 7,
  SPINERT_DEVICE = 8,
  SPINERT_MEMORY = 9,
  SPINERT_OUTPUT = 10,
  SPINERT_PARTIAL = 11,
  SPINERT_VERIFY_FAILED = 12,
  SPINERT_INDETERMINATE = 13, /* ran, but must not be read as negative */
  SPINERT_TIMEOUT = 14,
  SPINERT_CANCELLED = 130
};

typedef struct spinert_engine spinert_engine; /* an open model */
typedef struct spinert_result spinert_result; /* what a diagnosis in memory said */
typedef struct spinert_batch spinert_batch;   /* what became of the studies of a run over paths */
typedef struct spinert_cancel spinert_cancel; /* stops runs */
typedef struct spinert_error spinert_error;

/* spinert_open_options options = SPINERT_INIT(spinert_open_options); */
#ifdef __cplusplus
#define SPINERT_INIT(type) (::spinert_init_struct<type>())
#else
#define SPINERT_INIT(type) \
  { .struct_size = sizeof(type) }
#endif

/* ---- The build ---- */

SPINERT_API const char* spinert_version(void); /* "0.1.0" */
SPINERT_API int32_t spinert_abi(void);         /* SPINERT_ABI of the library */
SPINERT_API const char* spinert_build(void);   /* JSON: version, commit, compiler, flags */
/* "Research use only. Not for diagnostic use." Show it with every result. */
SPINERT_API const char* spinert_label(void);

/* ---- Errors. Each takes NULL and then answers as for success: 0, "OK", "". ---- */

SPINERT_API spinert_status spinert_error_code(const spinert_error* error);
SPINERT_API const char* spinert_error_id(const spinert_error* error); /* "E_PNG"; ids are listed in docs/safety.md */
SPINERT_API const char* spinert_error_message(const spinert_error* error); /* one sentence, without the id */
SPINERT_API void spinert_error_free(spinert_error* error);

/* ---- Cancelling ---- */

/* NULL if there is no memory. One object may be given to several runs; once requested it stops them all, also those
 * that begin later. Free it after the last of them has returned. */
SPINERT_API spinert_cancel* spinert_cancel_new(void);
SPINERT_API void spinert_cancel_request(spinert_cancel* cancel);
SPINERT_API void spinert_cancel_free(spinert_cancel* cancel);

/* ---- Opening a model ---- */

typedef struct spinert_open_options {
  size_t struct_size;
  const char* model;         /* path; NULL: the demo model that was installed with the library */
  const char* model_sha256;  /* the file must have this SHA-256, 64 hexadecimal digits; NULL: not checked */
  const char* device;        /* "auto", "cpu", "reference", "cuda", "cuda:1"; NULL: auto */
  const char* isa;           /* highest instruction set; NULL: the best there is */
  const char* precision;     /* "fp32", "mixed", "int8", "fp8"; NULL: mixed on a card, else fp32 */
  const char* canvas;        /* "fixed", "tight"; NULL: what the model says */
  const char* dicom_program; /* path of spinert-dicom; NULL: that of the installation */
  int64_t memory_limit;      /* bytes; 0: what the machine has */
  double threshold;          /* least score of a vertebra, above 0; 0: what the model says */
  int32_t threads;           /* 0: all that this process may use */
  int32_t batch;             /* vertebrae per run of the classifier, changes no result; 0: what suits the device */
  int32_t lanes;             /* slices that a card computes side by side, changes no result; 0: 1 */
} spinert_open_options;

/* `options` may be NULL. On success *engine is set, to be closed with spinert_close; else it is NULL. */
SPINERT_API spinert_status spinert_open(const spinert_open_options* options, spinert_engine** engine,
                                        spinert_error** error);
/* SPINERT_USAGE, and the engine stays open, while a call runs on it. NULL is no error. */
SPINERT_API spinert_status spinert_close(spinert_engine* engine);

/* What `spinert inspect --json` says of the model: metadata, device, memory, kernels. *json lives as long as the
 * engine. */
SPINERT_API spinert_status spinert_describe(spinert_engine* engine, const char** json, spinert_error** error);

/* ---- Running ---- */

enum {
  SPINERT_EVENT_BEGINS = 1, /* a slice is begun */
  SPINERT_EVENT_SLICE = 2,  /* a slice is done */
  SPINERT_EVENT_STUDY = 3,  /* the results of a study were written */
  SPINERT_EVENT_INFO = 4,
  SPINERT_EVENT_WARNING = 5,
  SPINERT_EVENT_PROBLEM = 6 /* an error of a study or of the run, as on the command line */
};

/* Lives as long as the callback runs. */
typedef struct spinert_event {
  size_t struct_size;
  int32_t kind;
  int32_t code;         /* of EVENT_PROBLEM, and of EVENT_STUDY: the exit code */
  uint64_t done, total; /* slices of the study; 0, 0 where they mean nothing */
  const char* name;     /* of the slice; of EVENT_STUDY the folder; of EVENT_PROBLEM the error id; else "" */
  const char* status;   /* of EVENT_SLICE and EVENT_STUDY; else "" */
  const char* alert;    /* likewise */
  const char* text;     /* of EVENT_INFO, EVENT_WARNING, EVENT_PROBLEM; else "" */
} spinert_event;

/* Returns 0, or anything else to cancel the run, and with it options.cancel where that is set. No exception may leave
 * it; the engine that is running refuses it. */
typedef int32_t (*spinert_progress)(const spinert_event* event, void* user);

enum { SPINERT_OVERWRITE_NEVER = 0, SPINERT_OVERWRITE_REPLACE = 1, SPINERT_OVERWRITE_SUFFIX = 2 };
enum { SPINERT_TRANSFORM_AUTO = 0, SPINERT_TRANSFORM_SFORM = 1, SPINERT_TRANSFORM_QFORM = 2 };

typedef struct spinert_run_options {
  size_t struct_size;
  double timeout;            /* seconds for the whole call; 0: no limit */
  spinert_progress progress; /* NULL: none */
  void* user;                /* for progress */
  spinert_cancel* cancel;    /* NULL: only progress can stop the run */
  /* Of runs over paths alone. */
  double hu_offset;       /* pixel values of pictures are Hounsfield units + hu_offset, if has_hu_offset */
  const char* series_uid; /* of a DICOM study; NULL: by rule */
  const char* dicom_time; /* YYYYMMDDHHMMSS of the files of dicom_output; NULL: that of the study */
  int32_t has_hu_offset;
  int32_t overwrite;    /* SPINERT_OVERWRITE_... */
  int32_t resume;       /* not 0: keep finished studies of the same files, model and options */
  int32_t allow_gaps;   /* slices of a series that may be missing or unreadable */
  int32_t transform;    /* of NIfTI: SPINERT_TRANSFORM_... */
  int32_t fast;         /* not 0: of a volume every second sagittal plane only; also of volumes in memory */
  int32_t dicom_output; /* not 0: of a DICOM study also Secondary Captures and a structured report */
  int32_t slice_output; /* not 0: also each slice without drawings (slice-*.png), for viewers and training */
  int32_t mask_output;  /* not 0: of an examination also the boxes of its vertebrae as labels (mask.nii.gz) */
} spinert_run_options;

/* ---- Slices and volumes in memory ---- */

enum {
  SPINERT_ENCODED = 0, /* the bytes of a PNG or JPEG file */
  SPINERT_U8 = 1,      /* grey pixels */
  SPINERT_U16 = 2,
  SPINERT_I16 = 3 /* signed values: Hounsfield units + hu_offset; has_hu_offset must be set */
};

/* A sagittal slice, head up. Nothing of it is kept after the call. */
typedef struct spinert_picture {
  size_t struct_size;
  int32_t format;        /* SPINERT_ENCODED, ... */
  int32_t width, height; /* of pixels: 64 to 8192 each, at most 64 million pixels */
  int32_t has_hu_offset; /* not 0: values are Hounsfield units + hu_offset and the model's window is applied */
  const void* data;      /* the bytes, or the first pixel of the first row; in the machine's byte order */
  size_t size;           /* bytes at data, checked against the size of the picture */
  size_t stride;         /* bytes from row to row; 0: rows follow each other */
  double hu_offset;
  double spacing_x, spacing_y; /* mm per pixel; 0: not known. Nothing is resampled; pixels that are not square, by more
                                  than 1 %, are refused (E_GEOM_MISSING). */
  const char* name;            /* what reports call it, without folders; NULL: "slice-1", "slice-2", ... */
} spinert_picture;

/* The slices of one study, in order. *result is set whenever slices were looked at, whatever the status says: it holds
 * what report.json would, and is freed with spinert_result_free. It stays NULL after errors of the call itself. */
SPINERT_API spinert_status spinert_diagnose_slices(spinert_engine* engine, const spinert_picture* const* slices,
                                                   size_t count, const spinert_run_options* options,
                                                   spinert_result** result, spinert_error** error);
/* The same for one. */
SPINERT_API spinert_status spinert_diagnose_slice(spinert_engine* engine, const spinert_picture* slice,
                                                  const spinert_run_options* options, spinert_result** result,
                                                  spinert_error** error);
/* An examination: the bytes of a NIfTI file (.nii or .nii.gz), whose sagittal slices are looked at. `name` stands in
 * errors; may be NULL. */
SPINERT_API spinert_status spinert_diagnose_nifti(spinert_engine* engine, const void* data, size_t size,
                                                  const char* name, const spinert_run_options* options,
                                                  spinert_result** result, spinert_error** error);

typedef struct spinert_study {
  size_t struct_size;
  const char* status; /* "completed", "partial", "indeterminate", "failed" */
  const char* alert;  /* "positive", "review", "negative" */
  const char* model_name;
  const char* model_sha256;
  const char* device;
  const char* isa;
  const char* precision;
  const char* const* class_names; /* class_count: OVCF, OF, SN, KD, PS, normal */
  const double* class_thresholds; /* class_count */
  size_t class_count, slice_count, reason_count;
  double score_threshold;
  int32_t exit_code;
  int32_t demo_model; /* not 0: the synthetic demo model, which diagnoses nobody */
} spinert_study;

typedef struct spinert_slice {
  size_t struct_size;
  const char* source;
  const char* sha256; /* of the file's bytes; of pixels over the rows without padding */
  const char* status; /* "completed", "indeterminate", "failed" */
  const char* alert;
  const char* error; /* the id of a slice that is not completed, else "OK" */
  size_t vertebra_count, candidate_count, reason_count;
  int32_t width, height;
  int32_t lossy;
} spinert_slice;

typedef struct spinert_vertebra {
  size_t struct_size;
  double box[4]; /* x1, y1, x2, y2 in pixels of the slice */
  double score;
  const float* probabilities; /* class_count of the study, independent of each other */
  const char* const* labels;  /* classes at or above their threshold */
  size_t label_count;
  const char* consistency; /* "ok", "contradictory", "none" */
  int32_t id;              /* 1..n from top to bottom */
} spinert_vertebra;

/* A box that the detector kept, best first. */
typedef struct spinert_candidate {
  size_t struct_size;
  double box[4];
  double score;
} spinert_candidate;

/* A warning (W_...), an error (E_...) or what decided the alert. */
typedef struct spinert_reason {
  size_t struct_size;
  const char* code;
  const char* text;
} spinert_reason;

#define SPINERT_WHOLE_STUDY ((size_t)-1) /* instead of the index of a slice */

/* Each fills a struct of the caller; SPINERT_USAGE for an index that does not exist. */
SPINERT_API spinert_status spinert_result_study(const spinert_result* result, spinert_study* study,
                                                spinert_error** error);
SPINERT_API spinert_status spinert_result_slice(const spinert_result* result, size_t slice, spinert_slice* out,
                                                spinert_error** error);
SPINERT_API spinert_status spinert_result_vertebra(const spinert_result* result, size_t slice, size_t index,
                                                   spinert_vertebra* out, spinert_error** error);
SPINERT_API spinert_status spinert_result_candidate(const spinert_result* result, size_t slice, size_t index,
                                                    spinert_candidate* out, spinert_error** error);
SPINERT_API spinert_status spinert_result_reason(const spinert_result* result, size_t slice_or_study, size_t index,
                                                 spinert_reason* out, spinert_error** error);
/* report.json. All but the object "volatile" is the same bytes that the command line writes for the same files, model
 * and build. `length` may be NULL. */
SPINERT_API const char* spinert_result_report(const spinert_result* result, size_t* length);
/* The preview of a slice as a PNG file, to be freed with spinert_free. */
SPINERT_API spinert_status spinert_result_preview(const spinert_result* result, size_t slice, void** png, size_t* size,
                                                  spinert_error** error);
SPINERT_API void spinert_result_free(spinert_result* result);

/* ---- Files and folders ---- */

/* `spinert diagnose inputs... -o output` with the open engine: report.json, report.html and previews in `output`; of
 * several studies a folder for each and summary.csv. *batch says what became of each; it is set whenever the run began,
 * whatever the status, and freed with spinert_batch_free. `batch` may be NULL. */
SPINERT_API spinert_status spinert_diagnose_paths(spinert_engine* engine, const char* const* inputs, size_t count,
                                                  const char* output, const spinert_run_options* options,
                                                  spinert_batch** batch, spinert_error** error);

typedef struct spinert_batch_study {
  size_t struct_size;
  const char* name;
  const char* folder; /* of its results; empty if nothing was written */
  const char* kind;   /* "pictures", "dicom", "nifti" */
  const char* status;
  const char* alert;
  const char* error; /* id; empty if there is none */
  int64_t slices;
  int32_t exit_code;
} spinert_batch_study;

SPINERT_API size_t spinert_batch_count(const spinert_batch* batch);
SPINERT_API spinert_status spinert_batch_get(const spinert_batch* batch, size_t index, spinert_batch_study* out,
                                             spinert_error** error);
SPINERT_API void spinert_batch_free(spinert_batch* batch);

/* ---- Proving a backend ---- */

typedef struct spinert_verify_options {
  size_t struct_size;
  const char* model;         /* NULL: the demo model */
  const char* device;        /* "cpu", "cuda", "cuda:1"; NULL: cpu */
  const char* precision;     /* "fp32", "mixed", "int8"; NULL: mixed on a card, else fp32 */
  const char* isa;           /* NULL or "all": every level of this machine */
  const char* canvas;        /* NULL: what the model says */
  const char* const* inputs; /* pictures or folders of them; none: a built-in synthetic slice */
  size_t input_count;
  double threshold;          /* 0: what the model says */
  double timeout;            /* seconds; 0: no limit */
  spinert_progress progress; /* EVENT_INFO before each longer step, EVENT_WARNING for a level that is not here */
  void* user;
  spinert_cancel* cancel;
  int32_t threads; /* 0: all that this process may use */
} spinert_verify_options;

/* `spinert verify`: a fast backend against the reference, node by node and as a whole; minutes for a slice at full
 * size. SPINERT_VERIFY_FAILED for a difference beyond the tolerance. *json: the figures, set where they were taken, to
 * be freed with spinert_free; `json` may be NULL. */
SPINERT_API spinert_status spinert_verify(const spinert_verify_options* options, char** json, spinert_error** error);

/* What the caller was given to free; NULL is no error. */
SPINERT_API void spinert_free(void* memory);

#ifdef __cplusplus
} /* extern "C" */

template <class T>
inline T spinert_init_struct() {
  T options = T();
  options.struct_size = sizeof(T);
  return options;
}
#endif

#endif /* SPINERT_H */
