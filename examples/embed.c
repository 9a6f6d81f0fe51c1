/* embed.c - one picture through libspinert from C: reads the file, prints each vertebra, writes the report.
 *
 *   cc embed.c $(pkg-config --cflags --libs spinert) -o embed
 *   ./embed model.safetensors slice.png report.json        "-" instead of the model: the demo model */
#include <spinert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(spinert_error* error) {
  const int code = spinert_error_code(error);
  fprintf(stderr, "%s: %s\n", spinert_error_id(error), spinert_error_message(error));
  spinert_error_free(error);
  return code;
}

static void* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  char* bytes = NULL;
  *size = 0;
  if (!file) return NULL;
  for (size_t room = 1 << 16; !feof(file) && !ferror(file); room *= 2) {
    char* larger = realloc(bytes, room);
    if (!larger) break;
    bytes = larger;
    *size += fread(bytes + *size, 1, room - *size, file);
  }
  fclose(file);
  return bytes;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "embed MODEL PICTURE REPORT\n");
    return SPINERT_USAGE;
  }
  spinert_error* error = NULL;
  spinert_engine* engine = NULL;
  spinert_open_options options = SPINERT_INIT(spinert_open_options);
  options.model = strcmp(argv[1], "-") == 0 ? NULL : argv[1];
  if (spinert_open(&options, &engine, &error) != SPINERT_OK) return fail(error);

  const char* slash = strrchr(argv[2], '/');
  spinert_picture picture = SPINERT_INIT(spinert_picture);
  picture.data = read_file(argv[2], &picture.size);
  picture.name = slash ? slash + 1 : argv[2];
  spinert_result* result = NULL;
  spinert_status status = spinert_diagnose_slice(engine, &picture, NULL, &result, &error);
  free((void*)picture.data);
  if (status != SPINERT_OK) fail(error); /* there may be a result all the same */

  if (result) {
    spinert_slice slice = SPINERT_INIT(spinert_slice);
    spinert_result_slice(result, 0, &slice, NULL);
    printf("%s: %s, %s. %s\n", slice.source, slice.status, slice.alert, spinert_label());
    for (size_t i = 0; i < slice.vertebra_count; ++i) {
      spinert_vertebra vertebra = SPINERT_INIT(spinert_vertebra);
      spinert_result_vertebra(result, 0, i, &vertebra, NULL);
      printf("%2d  score %.3f ", (int)vertebra.id, vertebra.score);
      for (size_t k = 0; k < vertebra.label_count; ++k) printf(" %s", vertebra.labels[k]);
      printf("\n");
    }
    size_t length = 0;
    const char* report = spinert_result_report(result, &length);
    FILE* file = fopen(argv[3], "wb");
    int written = file && fwrite(report, 1, length, file) == length;
    if (!file || fclose(file) != 0 || !written) status = SPINERT_OUTPUT;
  }
  spinert_result_free(result);
  spinert_close(engine);
  return status;
}
