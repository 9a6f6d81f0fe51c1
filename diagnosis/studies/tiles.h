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
  friend bool operator==(const Tile&, const Tile&) = default;
};

// Tiles of at most `size` that cover the picture; neighbours share at least `overlap` pixels and lie at even
// distances, give or take a pixel. One tile if the picture fits. All positive, overlap < size.
std::vector<Tile> tiles_of(int width, int height, int size, int overlap);

// The part of the picture that is not black all around it: grey [height][width] above 0, at least `least` pixels long
// on each axis where the picture is. All of it black: the middle of it, `least` long.
Tile lit_part(const std::vector<float>& grey, int width, int height, int least);

// diagnose() of a picture of any size. One that fits the canvas gives the result of Pipeline::diagnose. A larger one
// is cut to its lit part (black surrounds it on the canvas anyway) and, if that is still larger, into tiles of the
// canvas' size that share a quarter of it.
//
// A box that comes nearer than a 64th of the canvas to an edge of its tile inside the picture may be cut off there and
// is dropped; a box up to seven 32nds of the canvas long is whole in some tile. Of boxes that overlap (IoU over the
// detector's NMS threshold) the best score stays, with the probabilities and patches of the one that lies deepest
// within its tile. Status, alert and reasons are those of the whole: nothing is "cropped". A vertebra that was dropped
// and that no kept one covers asks for review, reason "tile_edge". If a tile fails, the slice fails with its error.
// Cancel and deadline hold between tiles as well. No slice may be started in the pipeline meanwhile.
SliceResult diagnose_in_tiles(Pipeline& pipeline, const Picture& picture, const std::string& source,
                              const RunControl& control = {});

}  // namespace spinert
