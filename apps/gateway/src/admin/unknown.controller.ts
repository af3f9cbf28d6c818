import { All } from '@nestjs/common';
import { nothingHere } from './admin-access.ts';
import { AdminController } from './admin-door.ts';

/** Every other address below `/admin/v1`: whether there is something is for those to know who are let in. */
@AdminController()
export class UnknownController {
  @All(['', '*'])
  unknown(): never {
    throw nothingHere();
  }
}
