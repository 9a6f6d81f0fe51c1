#include "tests/support/tile_program.h"

namespace spinert {

void run_tile_program_amx(TileProgram& program) {
  run_tile_program<AmxTiles>(program);
}

}  // namespace spinert
