// tiles.h - a picture larger than the canvas in overlapping tiles, so that no vertebra of a long spine is cut away.
#pragma once

#include <string>
#include <vector>

#include "diagnosis/images/picture.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/result.h"

namespace spinert {

struct Tile {
  int x = 0, y = 0, width = 0, height = 0;  // pixels of the picture
};

// Tiles of at most `size` that cover the picture; neighbours share at least `overlap` pixels and lie at even
// distances. One tile if the picture fits.
std::vector<Tile> tiles_of(int width, int height, int size, int overlap);

// diagnose() of a picture of any size: the picture without its black margins, tile by tile. Boxes that touch an edge of
// a tile inside the picture are dropped, of boxes that overlap (IoU over the detector's NMS threshold) the best score
// stays, with the probabilities of the one that lies deepest within its tile. Status, alert and reasons are those of
// the whole picture. A picture that fits the canvas gives the result of Pipeline::diagnose.
SliceResult diagnose_in_tiles(Pipeline& pipeline, const Picture& picture, const std::string& source,
                              const RunControl& control = {});

}  // namespace spinert
